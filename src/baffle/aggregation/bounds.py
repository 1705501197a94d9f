"""Proof, before a run begins, that none of its integer sums can leave 64 bits."""

from __future__ import annotations

from baffle.directions import Kind
from baffle.directions.exact import INT64_EXACT
from baffle.errors import BoundError
from baffle.quantisation import Quantiser


def require_exact(
    kind: Kind, bits: int, clients: int, weight: int, directions: int, steps: int
) -> int:
    """Return the largest absolute entry that a rebuilt sum can reach.

    Args:
        kind: directions, with their peak entry.
        bits: of the quantiser.
        clients: largest cohort. Under a rule of `baffle.aggregation.rules` the result is a sum of
            `rule.weight(rows)` rows, never more than there are, so the cohort bounds it as well:
            a median holds 1 or 2, Krum 1. Over groups of different sizes a row stands for up to
            64 times the largest group (`common_weight`): pass groups × 64 × its size.
        weight: largest weight of one client.
        directions, steps: K and H.

    Raises:
        BoundError: it is not below 2^63; the arithmetic is spelled out.

    Example:
        >>> from baffle.directions import make_kind
        >>> kind = make_kind("rank_one", key=0)
        >>> require_exact(kind, 16, clients=10, weight=1, directions=512, steps=1)
        167767040
    """
    limit = Quantiser(bits, 0).limit
    total = clients * weight * limit * directions * steps * kind.peak
    if total >= INT64_EXACT:
        raise BoundError(
            f"{clients} clients × weight {weight} × {limit} (of {bits} bits) × {directions} "
            f"directions × {steps} local steps × {kind.peak} (largest entry of {kind.name}) = "
            f"{total}, not below 2^63 = {INT64_EXACT}: use fewer bits, a smaller weight cap, "
            "cohort or number of directions"
        )
    return total
