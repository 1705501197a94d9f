"""Comparisons and stored lines made by hand: what a real run would have written."""

from baffle.drivers.compare.cells import pending
from baffle.drivers.compare.spec import Comparison, Contender
from tests.compare.lines import worked

PROBE = {"num_directions": 512, "batch": 32}  # of all, whatever the algorithms' own choices are


def comparison(names=("baffle", "baffle-paper"), **more):
    contenders = tuple(Contender(name, {"algorithm": name, "probe": PROBE}) for name in names)
    return Comparison(contenders, **{"budget": 1000.0, "keys": (0, 1), "trials": 3, **more})


def carried_out(asked, line=worked, lines=None):
    """All lines of a comparison, cell after cell, and the order in which they came."""
    lines, order = dict(lines or {}), []
    while cells := pending(asked, lines):
        lines[cells[0].id] = line(cells[0])
        order.append(cells[0])
    return lines, order
