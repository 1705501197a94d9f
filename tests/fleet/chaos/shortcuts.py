"""Work that many clients of one process would do alike, done once. Every tenth seed does it all."""

from contextlib import contextmanager
from unittest.mock import patch

from baffle.directions.points import Points
from baffle.protocol import Rules
from baffle.protocol.codec import encode_outcome

KEPT = 512


def remembered(key, compute):
    """Return a function that computes once for equal keys."""
    known = {}

    def found(*args):
        at = key(*args)
        if at not in known:
            while len(known) >= KEPT:
                del known[next(iter(known))]
            known[at] = compute(*args)
        return known[at]

    return found


@contextmanager
def shortcuts():
    """Share rebuilt states by (digest, plan, outcome), and drawn directions by their place."""
    advance = remembered(
        lambda rules, state, plan, outcome: (state.digest(), plan, encode_outcome(outcome)),
        Rules.advance,
    )
    factors = remembered(
        lambda points, signature, weights: (
            points.place,
            points.kind.name,
            points.directions.tobytes(),
            signature,
        ),
        Points.factors,
    )
    with patch.object(Rules, "advance", advance), patch.object(Points, "factors", factors):
        yield
