"""The worst case: a canary at the clip norm in every round, and an attacker who knows the rest.

Sums are made by the library's own clip, shares, noise and secret sampling. The attacker sees them
in the clear, knows every other contribution and the noise of colluding members, and scores a run by
the likelihood ratio of "canary there" to "canary left out", the best test there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.privacy import (
    Contribution,
    PrivacySpec,
    Sensitivity,
    client_vector,
    derive_seed,
    discrete_gaussian,
    example_vector,
    guaranteed_members,
    poisson_sample,
    share_sigma,
)
from baffle.quantisation import Quantiser
from experiments.privacy_audit.cells import BITS, COLLUDING, DIRECTIONS, MEMBERS, Cell

LIMIT = Quantiser(BITS, 0).limit
LANES = DIRECTIONS + 2  # values, loss, clips
CHUNK = 2**16  # trials at once
Floats = NDArray[np.float64]


def scores(cell: Cell, spec: PrivacySpec, trials: int, present: bool, private: bytes) -> Floats:
    """Return the attacker's score of each trial, high where it believes in the canary.

    Args:
        cell, spec: what is audited.
        trials: how many runs.
        present: whether the canary takes part.
        private: 32 bytes; all secret draws come from it.
    """
    canary, known = _lanes(_canary(spec)), (MEMBERS - 1) * _lanes(_other(spec))
    found = []
    for start in range(0, trials, CHUNK):
        size = min(CHUNK, trials - start)
        seed = derive_seed(private, f"{present} {start}".encode())
        there = present * _taken(cell, seed, size * cell.rounds)
        sums = np.outer(there, canary) + known + _noise(cell, spec, seed, len(there))
        ratios = _ratio(cell, spec, sums - known, canary)
        found.append(ratios.reshape(size, cell.rounds).sum(axis=1))
    return np.concatenate(found)


def _noise(cell: Cell, spec: PrivacySpec, seed: bytes, rounds: int) -> NDArray[np.int64]:
    """Return the noise of those members that the attacker does not know."""
    guaranteed = guaranteed_members(MEMBERS, COLLUDING)
    share = share_sigma(spec.total_sigma(LIMIT), guaranteed, LANES)
    total = np.zeros((rounds, LANES), dtype=np.int64)
    for member in range(cell.shares):
        own = derive_seed(seed, f"member {member}".encode())
        total += discrete_gaussian(own, share, total.size).reshape(total.shape)
    return total


def _canary(spec: PrivacySpec) -> Contribution:
    """Return what moves every lane as far as one unit can."""
    values = np.full(DIRECTIONS, 2 * LIMIT, dtype=np.int64)  # beyond the clip norm
    loss = np.array(2 * spec.loss_bound)
    if spec.unit == "client":
        return client_vector(spec, LIMIT, values, loss)
    return example_vector(spec, LIMIT, values[None], loss[None])


def _other(spec: PrivacySpec) -> Contribution:
    """Return what each other member sends; the attacker knows it, so any will do."""
    values = np.full(DIRECTIONS, -LIMIT // 3, dtype=np.int64)
    return client_vector(spec, LIMIT, values, np.array(1.0))


def _lanes(part: Contribution) -> NDArray[np.int64]:
    return np.array([*part.values.tolist(), int(part.loss), int(part.clips)], dtype=np.int64)


def _taken(cell: Cell, seed: bytes, count: int) -> NDArray[np.int64]:
    """Return in which rounds the canary is in its client's secret sample, as 0 or 1."""
    if cell.sampling is None:
        return np.ones(count, dtype=np.int64)
    there = np.zeros(count, dtype=np.int64)
    there[poisson_sample(seed, count, cell.sampling, most=count)] = 1
    return there


def _ratio(cell: Cell, spec: PrivacySpec, left: NDArray[np.int64], canary: NDArray) -> Floats:
    """Return the log likelihood ratio of each round, by the noise that was promised."""
    variance = spec.total_sigma(LIMIT) ** 2
    assert int(canary @ canary) <= Sensitivity(LIMIT).squared
    log = (left @ canary - 0.5 * float(canary @ canary)) / variance
    q = cell.sampling
    return log if q is None else np.logaddexp(np.log1p(-q), np.log(q) + log)
