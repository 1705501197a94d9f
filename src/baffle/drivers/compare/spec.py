"""What is compared: contenders, the equal resource, run keys, and how step sizes are tuned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from baffle import __version__
from baffle.config import Settings, resolve
from baffle.drivers.compare.resources import RESOURCES
from baffle.errors import ConfigError

FORMAT = 2
PROGRAM = "program"  # of a manifest: what computed the results
ENGINE = {"engine": {"threads": 1}}  # several runs share the machine, a core each


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    Args:
        name: what it is called there.
        layer: settings as in a configuration file, its `algorithm` among them.
    """

    name: str
    layer: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """A whole comparison: all that its results depend on but program, data files and machine.

    Args:
        contenders: in the table's order, with distinct names.
        equal: a row of RESOURCES.
        budget: of it, in its unit.
        keys: run keys; data shares, cohorts and initial weights are functions of them.
        trials: tuning trials a contender, the same for all; 0: settings as they are.
        share: of a run's rounds that a trial takes.
        least_rounds: batches are halved, down to 4, where a budget would be fewer rounds than that.
        length: example evaluations of a run where peak memory is held equal.
        points: evaluations on the test set along a run.
        memory: whether a client's peak memory is measured.

    Raises:
        ConfigError: out of range, two contenders of one name, or data that differ.
    """

    contenders: tuple[Contender, ...]
    equal: str = "evaluations"
    budget: float = RESOURCES["evaluations"].default
    keys: tuple[int, ...] = (0, 1, 2)
    trials: int = 6
    share: float = 0.2
    least_rounds: int = 100
    length: float = RESOURCES["evaluations"].default
    points: int = 20
    memory: bool = True

    def __post_init__(self) -> None:
        names = [c.name for c in self.contenders]
        checks = (
            (bool(names), "expected at least one algorithm, got none"),
            (len(set(names)) == len(names), f"two contenders have one name: {', '.join(names)}"),
            (self.equal in RESOURCES, f"--equal must be one of {', '.join(RESOURCES)}"),
            (self.budget > 0 and self.length > 0, "--budget must be above 0"),
            (len(self.keys) > 0, "--keys must be at least 1"),
            (self.trials >= 0, "--tune must be 0 or more"),
            (0 < self.share <= 1, "--share must lie above 0 and not above 1"),
            (self.least_rounds >= 0, "--least-rounds must be 0 or more"),
            (self.points >= 1, "expected at least one evaluation on the test set"),
        )
        for holds, complaint in checks:
            if not holds:
                raise ConfigError(complaint)
        self._require_one_task()

    def _require_one_task(self) -> None:
        """Refuse contenders whose data or clients differ: figures would compare nothing."""
        first = self.settings(self.contenders[0], self.keys[0])
        for contender in self.contenders[1:]:
            other = self.settings(contender, self.keys[0])
            shared = {"data": (first.data, other.data), "model": (first.model, other.model)}
            f, g = first.federation, other.federation
            shared["clients"] = (f.clients, g.clients)  # type: ignore[assignment]
            for name, (one, two) in shared.items():
                if one != two:
                    raise ConfigError(
                        f"{self.contenders[0].name} and {contender.name} have different {name}: "
                        "a comparison is on one and the same"
                    )

    def settings(self, contender: Contender, key: int, *more: Mapping[str, Any]) -> Settings:
        """Return a contender's settings under a run key."""
        return resolve(contender.layer, ENGINE, {"key": key}, *more)

    @property
    def measured_by(self) -> tuple[str, float]:
        """The resource and budget that a run's length follows."""
        if RESOURCES[self.equal].of_run:
            return self.equal, self.budget
        return "evaluations", self.length

    def manifest(self) -> dict[str, Any]:
        """Return the comparison as JSON, and what program carries it out.

        A contender's layer leaves settings to defaults, which another version may have changed. So
        the program is told by its version, torch's, and a digest of all settings as it takes them.
        """
        return {"format": FORMAT, PROGRAM: self._program(), **self._asked()}

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(json.dumps(asdict(self), sort_keys=True))
        return asked

    def _program(self) -> dict[str, str]:
        taken = [self.settings(c, self.keys[0]).model_dump(mode="json") for c in self.contenders]
        return {"baffle": __version__, "torch": version("torch"), "settings": _digest(taken)}

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, a function of what is asked."""
        return _digest({"format": FORMAT, **self._asked()})


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def from_manifest(value: Mapping[str, Any]) -> Comparison:
    """Return a stored comparison.

    Raises:
        ConfigError: of another format.
    """
    if value.get("format") != FORMAT:
        raise ConfigError(f"expected a comparison of format {FORMAT}, got {value.get('format')}")
    fields = {name: v for name, v in value.items() if name not in ("format", PROGRAM)}
    contenders = tuple(Contender(c["name"], c["layer"]) for c in fields.pop("contenders"))
    return Comparison(contenders=contenders, keys=tuple(fields.pop("keys")), **fields)
