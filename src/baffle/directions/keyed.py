"""The same place of the counter under many keys: what each client draws for itself, all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.philox import ROUNDS, WORDS_PER_BLOCK

Keys = NDArray[np.uint64]
_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_MASK, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_BLOCKS = 2**14  # of all keys at once, so that they stay in a core's second-level cache


def keyed_words(
    keys: Keys, purpose: Purpose, round: int, step: int, count: int
) -> NDArray[np.uint32]:
    """Return the first `count` words of each key's stream; shape [len(keys), count].

    Row i is Stream(keys[i], purpose, round, step).words(0, count).

    Args:
        keys: uint64, such as clients' own keys.
        purpose, round, step: coordinates that they share.
        count: words a key.

    Raises:
        BoundError: a coordinate does not fit into its place.
    """
    Stream(0, purpose, round, step)  # refuses what does not fit
    n_blocks = -(-count // WORDS_PER_BLOCK)
    out = np.empty((len(keys), n_blocks, WORDS_PER_BLOCK), dtype=np.uint32)
    height = max(1, _BLOCKS // max(1, n_blocks))
    top = (int(purpose) << 28) | (step << 16)
    for start in range(0, len(keys), height):
        part = slice(start, start + height)
        _blocks(keys[part, None], (round, top), out[part])
    return out.reshape(len(keys), n_blocks * WORDS_PER_BLOCK)[:, :count]


def _blocks(keys: Keys, upper: tuple[int, int], out: NDArray[np.uint32]) -> None:
    """Fill [keys, blocks, 4]: the ten rounds of philox.py, with a key a row."""
    k0, k1 = keys & _MASK, keys >> _HALF
    x0, x1 = np.arange(out.shape[1], dtype=np.uint64)[None], np.zeros((1, 1), np.uint64)
    x2, x3 = (np.full((1, 1), word, dtype=np.uint64) for word in upper)
    for _ in range(ROUNDS):
        low, high = x0 * _MULTIPLIER[0], x2 * _MULTIPLIER[1]
        x0, x1 = (high >> _HALF) ^ x1 ^ k0, high & _MASK
        x2, x3 = (low >> _HALF) ^ x3 ^ k1, low & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    for column, word in enumerate((x0, x1, x2, x3)):
        out[:, :, column] = word
