"""`baffle.compare`: several algorithms at an equal resource, from Python."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baffle.algorithms import ALGORITHMS
from baffle.baselines.registry import BASELINES
from baffle.drivers.compare.pool import Pool
from baffle.drivers.compare.resources import RESOURCES
from baffle.drivers.compare.runner import Watch, work_off
from baffle.drivers.compare.spec import Comparison, Contender
from baffle.drivers.compare.store import Store
from baffle.errors import ConfigError
from baffle.report.compared import Compared, compared

WORKER = (sys.executable, "-m", "baffle.drivers.compare.worker")
OWN_SECTIONS = ("probe", "quantisation", "update", "groups")  # of the file's own algorithm
DEFAULT_PARENT, SCRATCH = Path("runs"), "scratch"


def known_algorithms() -> list[str]:
    """Return the names of everything that can be compared."""
    return [*ALGORITHMS, *BASELINES]


def contenders_of(
    names: Sequence[str],
    config: Mapping[str, Any],
    every: Mapping[str, Any],
    own: Mapping[str, Mapping[str, Any]],
) -> tuple[Contender, ...]:
    """Return the contenders that names and settings describe.

    Args:
        names: algorithms, or LABEL=ALGORITHM for one of them under another name.
        config: a configuration: who learns what, from it all take; what it says of probing and
            updating is of its own algorithm, since other ones mean other things by it.
        every: settings of all.
        own: settings of single ones, by name.

    Raises:
        ConfigError: an algorithm or a name that is not known.

    Example:
        >>> names = ["baffle", "wide=baffle", "fedavg"]
        >>> wide = {"wide": {"probe": {"num_directions": 2048}}}
        >>> [c.name for c in contenders_of(names, {}, {}, wide)]
        ['baffle', 'wide', 'fedavg']
    """
    pairs = [name.partition("=") for name in names]
    labels = [label.strip() for label, _, _ in pairs]
    if strangers := [name for name in own if name not in labels]:
        raise ConfigError(
            f"settings of {strangers[0]}, which is not compared: expected one of "
            f"{', '.join(labels)}"
        )
    whose = str(config.get("algorithm", "baffle"))
    found = []
    for (label, _, algorithm), name in zip(pairs, labels, strict=True):
        chosen = _known(algorithm.strip() or label.strip())
        layer = {k: v for k, v in config.items() if chosen == whose or k not in OWN_SECTIONS}
        for more in (every, own.get(name, {}), {"algorithm": chosen}):
            layer = over(layer, more)
        found.append(Contender(name, layer))
    return tuple(found)


def _known(algorithm: str) -> str:
    if algorithm not in known_algorithms():
        known = ", ".join(known_algorithms())
        raise ConfigError(f"algorithm must be one of {known}, got {algorithm!r}")
    return algorithm


def over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others on top; tables of options are replaced as a whole."""
    result = dict(base)
    for name, value in more.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = over(result[name], value) if both and "options" not in name else value
    return result


def compare(
    algorithms: Sequence[str],
    *,
    config: Mapping[str, Any] | None = None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    equal: str = "evaluations",
    budget: float | None = None,
    keys: int = 3,
    jobs: int = 1,
    out: Path | None = None,
    **more: Any,
) -> Compared:
    """Run algorithms at an equal resource, and return what they came to.

    Args:
        algorithms: names, or LABEL=ALGORITHM.
        config: settings by section, of all: data, model, clients.
        own: settings of single ones, by name.
        equal: "rounds", "evaluations", "bytes", "seconds" or "memory".
        budget: of it; by default about a minute's worth of the digits.
        keys: run keys, 0 to keys - 1.
        jobs: processes at once, one thread each.
        out: folder; the same call goes on with what is missing there.
        more: see `Comparison`.

    Raises:
        ConfigError, DataError, ModelError: settings or data that cannot be used.
        LedgerError: the folder holds another comparison.

    Example:
        >>> found = compare(["baffle", "fedavg"], budget=2e6, jobs=2)  # doctest: +SKIP
        >>> found.rows[0].accuracy.median  # doctest: +SKIP
        0.93
    """
    asked = Comparison(
        contenders_of(algorithms, config or {}, {}, own or {}),
        equal=equal,
        budget=budget or RESOURCES[equal].default,
        keys=tuple(range(keys)),
        **more,
    )
    return carry_out(asked, out or default_folder(asked), jobs)


def default_folder(comparison: Comparison) -> Path:
    """Return where a comparison lies if nothing is said: the same for the same question."""
    return DEFAULT_PARENT / f"compare-{comparison.id}"


def carry_out(
    comparison: Comparison, folder: Path, jobs: int, watch: Watch = lambda course, said: None
) -> Compared:
    """Run what is missing of a comparison, draw its figure, and return what it came to."""
    with Store(folder, comparison) as store, Pool(WORKER, jobs, folder / SCRATCH) as pool:
        course = work_off(store, comparison, pool, watch)
        return compared(comparison, store.lines, folder, course.failures)
