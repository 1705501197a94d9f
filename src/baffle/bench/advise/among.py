"""From names of models to a choice among them: make each, count it, train it for a short while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from baffle.bench.advise.choosing import Choice, Tried
from baffle.bench.advise.given import train_part
from baffle.bench.advise.short_run import Say, ShortRun, learn
from baffle.errors import BaffleError, ConfigError
from baffle.models import MODELS, build, count
from baffle.models.locate import find_model

logger = logging.getLogger(__name__)
Make = Callable[[], nn.Module]


@dataclass(frozen=True)
class Limits:
    """What of the models is considered.

    Args:
        max_weights: the most trained weights; 0: any number.
        trained: which part of each, a row of `given.PARTS`.

    Raises:
        ConfigError: a negative number.
    """

    max_weights: int = 0
    trained: str = "all"

    def __post_init__(self) -> None:
        if self.max_weights < 0:
            raise ConfigError(f"--max-weights must be 0 or more, got {self.max_weights}")


def makers(names: Sequence[str], run: ShortRun) -> dict[str, Make]:
    """Return what makes each model for the run's data, by name.

    Args:
        names: rows of MODELS, whose initial weights follow from the run key, or where the code
            stands that makes one, which says itself how it begins.
        run: of which data.

    Raises:
        ModelError: a name that is neither.
    """
    data = run.data

    def maker(name: str) -> Make:
        if name in MODELS:
            return lambda: build(name, data.in_shape, data.classes, run.key)
        if ":" not in name:
            find_model(name)  # says what is known, before anything is trained
        return lambda: find_model(name)

    return {name: maker(name) for name in names}


def ask_among(
    models: Mapping[str, Make],
    run: ShortRun,
    limits: Limits = Limits(),
    say: Say = lambda text: None,
) -> Choice:
    """Train every model for a short while and return which to take.

    Args:
        models: what makes them, by name; what cannot be made or trained is said in its place.
        run: how each is trained.
        limits: what is not tried.
        say: told what is going on.

    Raises:
        ConfigError: no models.
    """
    if not models:
        raise ConfigError("expected models to choose among, got none")
    tried = [_try(name, make, run, limits, say) for name, make in models.items()]
    return Choice(tried, run.federation.clients, run.data.classes)


def _try(name: str, make: Make, run: ShortRun, limits: Limits, say: Say) -> Tried:
    """Return one model's line, whatever comes of it."""
    tried, started = Tried(name), time.perf_counter()
    try:
        model = make()
        train_part(model, limits.trained)
        cost = count(model, run.data.in_shape)
        tried = Tried(name, cost.parameters, cost.multiply_adds)
        if 0 < limits.max_weights < cost.parameters:
            why = f"more than the {limits.max_weights:,} weights that are allowed"
            return replace(tried, why_not=why, too_large=True)
        learned = learn(model, run, lambda text: say(f"{name}: {text}"))
    except BaffleError as problem:
        return replace(tried, why_not=str(problem), seconds=time.perf_counter() - started)
    except Exception as problem:  # of the model's own code, which must not take the others with it
        logger.info("%s could not be trained", name, exc_info=True)
        said = str(problem).splitlines()[0] if str(problem) else ""
        return replace(
            tried,
            why_not=f"{type(problem).__name__}: {said}",
            seconds=time.perf_counter() - started,
        )
    return replace(tried, learned=learned, seconds=time.perf_counter() - started)
