"""How many points a pass takes, when the user does not say: a function of batch and model alone.

Batched pass: as many points as keep the largest activation that differs between them within 8 MiB
(a frozen beginning is computed once, whatever it takes). Fewer pay the overhead of
a pass (some 0.05 ms a layer) more often; above, activations leave the processor's cache, and above
32 MiB the C library takes fresh pages for each of them (see memory.py).
Points one by one: as many examples as keep it within 16 MiB.
Mapped pass: as many perturbed copies of the weights as fit into a quarter of a GiB.
"""

from __future__ import annotations

ACTIVATION_BYTES = 2**23
EXAMPLE_BYTES = 2**24
DENSE_BYTES = 2**28
DRAWN_ENTRIES = 2**20  # of the directions' factors, held while their points are evaluated


def batched_chunk(peak_bytes: int) -> int:
    """Return the points of a batched pass; `peak_bytes` is one point's largest activation.

    Of those that differ between points: `Survey.moved_peak`.
    """
    return max(1, ACTIVATION_BYTES // peak_bytes)


def examples_in_pass(peak_bytes: int, examples: int) -> int:
    """Return the examples of a pass of one point.

    Args:
        peak_bytes: the largest activation of all examples.
        examples: how many.
    """
    return max(1, min(examples, EXAMPLE_BYTES * examples // peak_bytes))


def mapped_chunk(model_bytes: int, peak_bytes: int) -> int:
    """Return the points of a mapped pass, each with its own weights and activations."""
    return max(1, DENSE_BYTES // (model_bytes + 4 * peak_bytes))


def drawn_points(chunk: int, entries: int) -> int:
    """Return how many points' factors to draw at once: whole chunks of at most 2^20 entries."""
    return chunk * max(1, DRAWN_ENTRIES // max(1, chunk * entries))
