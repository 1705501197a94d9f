"""Where the search for an algorithm's step size begins, and by which factor it goes.

Ours is divided by the scalars' standard deviation and so free of the loss's scale: a fine search
around one number finds it. What is not wants a wide one around what its authors published. The
number of trials is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """A search for a step size.

    Args:
        start: the first that is tried.
        factor: between neighbours.
    """

    start: float = 0.04
    factor: float = 2.0


OURS = Tuning()
TUNINGS: dict[str, Tuning] = {
    "mezo": Tuning(1e-3, 4.0),
    "decomfl": Tuning(1e-3, 4.0),
}
