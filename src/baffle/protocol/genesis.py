"""What both sides agree on before round 0: one canonical JSON text, hashed into the run id."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Any, TypeVar

from baffle.directions import ModelSignature, TensorSpec
from baffle.directions.coordinates import MAX_KEY, MAX_TENSOR
from baffle.errors import BaffleError, DecodeError
from baffle.privacy import PrivacySpec
from baffle.protocol.messages import DIGEST_BYTES, run_id
from baffle.secagg.spec import SecureSpec
from baffle.updates import UpdateSpec

Promise = TypeVar("Promise", SecureSpec, PrivacySpec)
GENESIS_FORMAT = 1
MAX_AXES, MAX_SIDE, MAX_ENTRIES = 32, 2**32 - 1, 2**40  # of a tensor; 2^40 numbers take 4 TiB


@dataclass(frozen=True)
class Genesis:
    """The start of a run.

    Args:
        algorithm: name, for the reader.
        key: run key.
        signature: the model's tensors.
        update: the way from estimate to weights.
        secure: that reports go into secure sums, and what a client insists on; None for reports
            in the clear.
        privacy: what is promised of the sums; None for nothing.
        initial: SHA-256 digest of the state before round 0.
        settings: the driver's own configuration (data, cohort, faults …), so that a ledger says
            what it was made with; the protocol does not look at it.
    """

    algorithm: str
    key: int
    signature: ModelSignature
    update: UpdateSpec
    initial: bytes
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    secure: SecureSpec | None = None
    privacy: PrivacySpec | None = None

    def to_bytes(self) -> bytes:
        """Return the one encoding: JSON with sorted keys and no spaces, UTF-8."""
        value = {
            "format": GENESIS_FORMAT,
            "algorithm": self.algorithm,
            "key": self.key,
            "tensors": [
                [t.name, list(t.shape), t.dtype, t.trainable] for t in self.signature.tensors
            ],
            "frozen": self.signature.frozen_digest.hex(),
            "update": self.update.stated(),
            "initial": self.initial.hex(),
            "settings": self.settings,
        }
        # A run without them has the genesis that it had before there was a choice.
        promises = {"secure": self.secure, "privacy": self.privacy}
        value |= {name: dataclasses.asdict(p) for name, p in promises.items() if p is not None}
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()

    @cached_property
    def run(self) -> bytes:
        """The run's 16 bytes."""
        return run_id(self.to_bytes())

    @staticmethod
    def from_bytes(data: bytes) -> Genesis:
        """Return the genesis that these bytes encode.

        Raises:
            DecodeError: not JSON, another format, missing or surplus fields, a field of another
                type or out of range, or not canonical.
        """
        try:
            genesis = _made(json.loads(data))
            canonical = genesis.to_bytes() == data
        except _WRONG as problem:
            raise DecodeError(
                f"genesis: expected canonical JSON of a run, got {str(problem)[:200]}"
            ) from problem
        if not canonical:
            raise DecodeError("genesis: expected its one canonical encoding, got another")
        return genesis


# What values of the wrong type or form raise on their way; nesting without end is one of them.
_WRONG = (ValueError, KeyError, TypeError, AttributeError, RecursionError, BaffleError)


def _made(value: Any) -> Genesis:
    found = value["format"]
    _need(found == GENESIS_FORMAT and type(found) is int, f"format {GENESIS_FORMAT}", found)
    _need(type(value["algorithm"]) is str, "a text as algorithm", value["algorithm"])
    key = value["key"]
    _need(type(key) is int and 0 <= key <= MAX_KEY, "a key of 64 bits", key)
    _need(type(value["settings"]) is dict, "a table of settings", value["settings"])
    frozen, initial = bytes.fromhex(value["frozen"]), bytes.fromhex(value["initial"])
    _need(len(frozen) in (0, DIGEST_BYTES), "a digest of what is frozen, or none", frozen)
    _need(len(initial) == DIGEST_BYTES, "a digest of the first state", initial)
    signature = ModelSignature(_tensors(value["tensors"]), frozen)
    return Genesis(
        value["algorithm"],
        key,
        signature,
        _update(value["update"]),
        initial,
        value["settings"],
        _promise(SecureSpec, value.get("secure")),
        _promise(PrivacySpec, value.get("privacy")),
    )


def _promise(kind: type[Promise], value: dict[str, Any] | None) -> Promise | None:
    """Return what a run promises; the dataclass itself refuses what is out of range."""
    if value is None:
        return None
    for name, number in value.items():
        _need(type(number) in (int, float, str, NoneType), f"a plain {name}", number)
    return kind(**value)


def _tensors(rows: Any) -> tuple[TensorSpec, ...]:
    _need(len(rows) <= MAX_TENSOR + 1, f"at most {MAX_TENSOR + 1} tensors", len(rows))
    tensors = tuple(_tensor(*row) for row in rows)
    names = len({t.name for t in tensors})  # a signature looks for every double name through all
    _need(names == len(tensors), "one tensor a name", f"{len(tensors)} with {names} names")
    return tensors


def _tensor(name: Any, shape: Any, dtype: Any, trainable: Any) -> TensorSpec:
    typed = (type(name), type(shape), type(dtype), type(trainable)) == (str, list, str, bool)
    _need(typed, "a tensor's name, shape, dtype and role", name)
    _need(len(shape) <= MAX_AXES, f"at most {MAX_AXES} axes", len(shape))
    for side in shape:
        _need(type(side) is int and 0 <= side <= MAX_SIDE, "a side of 32 bits", side)
    tensor = TensorSpec(name, tuple(shape), dtype, trainable)
    _need(tensor.size <= MAX_ENTRIES, f"a tensor of at most {MAX_ENTRIES} entries", tensor.size)
    return tensor


def _update(value: dict[str, Any]) -> UpdateSpec:
    update = UpdateSpec(**value)
    for name in ("normalised", "stochastic"):
        _need(type(getattr(update, name)) is bool, f"{name} or not", getattr(update, name))
    shares = (
        "beta1",
        "beta2",
        "average",
        "energies",
    )  # a power of 1 would be divided by its difference to 1
    for name in (*shares, "epsilon", "l2", "decoupled_decay"):
        number = getattr(update, name)
        real = type(number) in (int, float) and 0 <= number <= sys.float_info.max
        _need(real and (name not in shares or number < 1), f"a {name} in its range", number)
    update.chain()  # which refuses an optimiser that does not exist
    return update


def _need(condition: bool, expected: str, got: object) -> None:
    if not condition:
        raise DecodeError(f"{expected}, got {repr(got)[:80]}")
