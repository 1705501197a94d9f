"""Flower's SecAgg+ over one round in memory: its own functions, no messages, no network.

Its client stages are called as they are. Its server's stages are written out in calls of the
functions that they consist of, since they cannot be had without a network. What goes beyond the
mathematics is left out, in Flower's favour: records, messages, and a client's state between stages.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from flwr.client.mod.secure_aggregation.secaggplus_mod import (
    SecAggPlusState,
    _collect_masked_vectors,
    _setup,
    _share_keys,
    _unmask,
)
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.crypto.symmetric_encryption import generate_shared_key
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    factor_extract,
    get_parameters_shape,
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.secaggplus_constants import Key
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from flwr.supercore.primitives.asymmetric import bytes_to_private_key, bytes_to_public_key
from numpy.typing import NDArray

MODULUS = 2**32  # Flower's default, and its most
EXAMPLES = 1  # every client's; with max_weight of as much, a client's weight is exactly 1
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """How a round of SecAgg+ is set up.

    Args:
        members: n.
        shares: into how many parts secrets are split, one of them kept; n, or odd.
        threshold: how many of them give a secret back.
        bits: of an integer; integers lie within ±(2^(bits - 1) - 1).
    """

    members: int
    shares: int
    threshold: int
    bits: int

    @property
    def range(self) -> int:
        """Flower's target range: floats within ± half of it are moved to 0 … range."""
        return 1 << self.bits

    def config(self) -> dict[str, Any]:
        """Return what a client is told at first."""
        return {
            Key.SAMPLE_NUMBER: self.members,
            Key.SHARE_NUMBER: self.shares,
            Key.THRESHOLD: self.threshold,
            Key.CLIPPING_RANGE: self.range / 2,
            Key.TARGET_RANGE: self.range,
            Key.MOD_RANGE: MODULUS,
            Key.MAX_WEIGHT: float(EXAMPLES),
        }

    def neighbours(self) -> dict[int, set[int]]:
        """Return who shares with whom, oneself included: a shuffled ring, as Flower draws it."""
        ring, half = list(range(self.members)), self.shares >> 1
        random.shuffle(ring)
        return {
            member: {ring[(at + by) % self.members] for by in range(-half, half + 1)}
            for at, member in enumerate(ring)
        }


@dataclass
class Clock:
    """Seconds of processor time, of all threads of this process, by whose they are."""

    clients: float = 0.0
    server: float = 0.0

    def of_client(self, call: Any, *given: Any) -> Any:
        """Return what a client's call returns."""
        started = process_time()
        found = call(*given)
        self.clients += process_time() - started
        return found

    def of_server(self, call: Any, *given: Any) -> Any:
        """Return what a server's call returns."""
        started = process_time()
        found = call(*given)
        self.server += process_time() - started
        return found


def play(
    shape: Shape, vectors: NDArray[np.int64], gone: frozenset[int] = frozenset()
) -> tuple[NDArray[np.int64], Clock]:
    """Play a round of SecAgg+; clients are numbered by row.

    Args:
        shape: how it is set up.
        vectors: int64 [n, K], within the bits.
        gone: clients whose masked vectors never come.

    Returns:
        (the sum that the server finds, seconds)
    """
    clock, near = Clock(), shape.neighbours()
    states = {n: SecAggPlusState(nid=n) for n in range(shape.members)}
    keys = {n: clock.of_client(_setup, state, shape.config()) for n, state in states.items()}
    public = {n: (pair[Key.PUBLIC_KEY_1], pair[Key.PUBLIC_KEY_2]) for n, pair in keys.items()}

    shared = {
        n: clock.of_client(_share_keys, state, {str(v): public[v] for v in near[n]})
        for n, state in states.items()
    }
    sent = clock.of_server(_forward, shared)

    masked = {}
    for n, state in states.items():
        if n not in gone:
            update = ndarrays_to_parameters([vectors[n].astype(np.float64)])
            given = state, sent[n], EXAMPLES, update
            masked[n] = clock.of_client(_collect_masked_vectors, *given)
    total = clock.of_server(_added, masked)

    active, dead = set(masked), set(gone)
    opened = [
        clock.of_client(
            _unmask, states[n],
            {Key.ACTIVE_NODE_ID_LIST: list(near[n] & active),
             Key.DEAD_NODE_ID_LIST: list(near[n] & dead)},
        )
        for n in masked
    ]  # fmt: skip
    found = clock.of_server(_unmasked, shape, total, opened, near, active, public)
    return found, clock


def _forward(shared: Mapping[int, Record]) -> dict[int, Record]:
    """Return for each client what the others have sealed for it."""
    sent: dict[int, dict[str, list[Any]]] = {
        n: {Key.SOURCE_LIST: [], Key.CIPHERTEXT_LIST: []} for n in shared
    }
    for source, record in shared.items():
        pairs = zip(record[Key.DESTINATION_LIST], record[Key.CIPHERTEXT_LIST], strict=True)
        for destination, sealed in pairs:
            sent[destination][Key.SOURCE_LIST].append(source)
            sent[destination][Key.CIPHERTEXT_LIST].append(sealed)
    return dict(sent)


def _added(masked: Mapping[int, Record]) -> list[NDArray[Any]]:
    total: list[NDArray[Any]] | None = None
    for record in masked.values():
        arrays = [bytes_to_ndarray(data) for data in record[Key.MASKED_PARAMETERS]]
        total = arrays if total is None else parameters_addition(total, arrays)
    assert total is not None
    found: list[NDArray[Any]] = parameters_mod(total, MODULUS)
    return found


def _unmasked(
    shape: Shape, total: list[NDArray[Any]], opened: list[Record], near: Mapping[int, set[int]],
    active: set[int], public: Mapping[int, tuple[bytes, bytes]],
) -> NDArray[np.int64]:  # fmt: skip
    """Return the sum of the integers, the masks taken away."""
    shares: dict[int, list[bytes]] = {n: [] for n in near}
    for record in opened:
        for owner, part in zip(record[Key.NODE_ID_LIST], record[Key.SHARE_LIST], strict=True):
            shares[owner].append(part)
    sizes = get_parameters_shape(total)
    for owner, parts in shares.items():
        secret = combine_shares(parts)  # all that came, as Flower does, not the threshold's number
        if owner in active:
            total = parameters_subtraction(total, pseudo_rand_gen(secret, MODULUS, sizes))
            continue
        for other in near[owner] & active:
            key, theirs = bytes_to_private_key(secret), bytes_to_public_key(public[other][0])
            mask = pseudo_rand_gen(generate_shared_key(key, theirs), MODULUS, sizes)
            change = parameters_addition if owner > other else parameters_subtraction
            total = change(total, mask)
    weights, arrays = factor_extract(parameters_mod(total, MODULUS))
    # Each client's floats were moved by half of the range; its weight is the range.
    values: NDArray[np.int64] = arrays[0].astype(np.int64) - int(weights) // 2
    return values
