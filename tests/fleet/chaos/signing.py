"""Keys, and who signed which ask for whom: by that it is known which asks a client may answer."""

import functools
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.errors import ProtocolError
from baffle.protocol.exchange import Trouble, decode_answer, decode_ask
from baffle.protocol.exchange.signed import ENVELOPE_BYTES, public_bytes, sign_ask
from tests.fleet.chaos.invariant import require


def key_of(name, seed):
    """Return a private key that is a function of its owner's name and the seed."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest())


class Signing:
    """The record of all signatures of a run.

    Args:
        seed: of the run.
    """

    def __init__(self, seed):
        self.server, self.stranger = key_of("server", seed), key_of("stranger", seed)
        self.servers = public_bytes(self.server)
        self._by = {}  # (address, hash of a signed ask): public key

    def sign(self, address, parts, key):
        """Return a message under a key's signature for an address."""
        signed = sign_ask(parts[0], address, key)
        self._by[address, _hash(signed)] = public_bytes(key)
        return (signed, *parts[1:])

    def may_answer(self, node, parts):
        """Return whether a node may answer: its server, or the first that a new run came from."""
        by, known = self.signer(node.address, parts), known_key(node, parts)
        wanted = self.servers if node.pinned else known
        return by is not None and wanted in (None, by)

    def signer(self, address, parts):
        """Return whose signature an ask to an address is under, None if under none that is good."""
        return self._by.get((address, _hash(parts[0]))) if ask_of(parts) else None


class Doorkeeping:
    """What must hold of one message to a node that is at its guard.

    Args:
        node: as it is before the message.
        parts: the message.
    """

    def __init__(self, node, parts):
        self._node, self._parts = node, parts
        signing = node.world.signing
        self._may = signing.may_answer(node, parts)
        self._key = known_key(node, parts) or signing.signer(node.address, parts)
        self._alive = node.replica, dict(node.disk.kept)  # so that no identity is given anew
        self._before = _remembered(node)

    def check(self, answer):
        """Require that an ask of the right key was taken, and that any other changed nothing."""
        node = self._node
        found = answer_of(node, self._parts, answer)
        reason = found.reason if isinstance(found, Trouble) else None
        if self._may:
            require(reason != "forged", f"node {node.index} refused its own server")
            kept = reason or known_key(node, self._parts) == self._key
            require(kept, f"node {node.index} does not keep the first key of a run")
            return
        require(
            reason in ("forged", "decode"),
            f"node {node.index} answered an ask that is not its server's: {found}",
        )
        require(_remembered(node) == self._before, f"a forged ask changed node {node.index}")
        node.world.count(f"door.{reason}")


def _remembered(node):
    """Return what a node holds, in memory and on disk; states by their identity."""
    kept = {run: (id(replica), known) for run, (replica, known) in node.disk.kept.items()}
    return (
        id(node.replica) if node.replica else None,
        kept,
        dict(node.disk.keys),
        dict(node.disk.wallets),
    )


def known_key(node, parts):
    """Return the key that a node's disk holds for the run of an ask."""
    ask = ask_of(parts)
    return node.disk.keys.get(ask.run) if ask else None


def ask_of(parts):
    """Return the ask of a signed message, None if it holds none; its signature is not looked at."""
    return _opened(parts[0]) if parts else None


@functools.lru_cache(64)
def _opened(data):
    try:
        return decode_ask(data[ENVELOPE_BYTES:])
    except ProtocolError:
        return None


def answer_of(node, parts, answer):
    """Return what a node answered: for the run of the ask, or for the one that it holds."""
    ask = ask_of(parts)
    held = node.replica.genesis.run if node.replica else b""
    for run in (ask.run if ask else held, held):
        try:
            return decode_answer(answer, run)
        except ProtocolError:
            continue
    return decode_answer(answer)


def _hash(data):
    return hashlib.sha256(data).digest()
