"""The parts of a simulated federation that settings choose: its answers, its groups, its liars."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from baffle.config import Settings, groups_of
from baffle.drivers.local.answers import Answers, Together
from baffle.drivers.local.clear import InTheClear
from baffle.drivers.local.federation import Collecting
from baffle.drivers.local.hostile import Attack, hostile_clients, make_attack
from baffle.drivers.local.hostile.answers import HostileAnswers
from baffle.drivers.local.hostile.data import poison
from baffle.drivers.local.roster import Roster
from baffle.drivers.local.secure import SecureSums
from baffle.drivers.local.task import Task
from baffle.drivers.local.traffic import Traffic
from baffle.protocol import Genesis


def answers_of(settings: Settings, roster: Roster) -> Answers:
    """Return how reports are computed, the hostile clients' among them."""
    honest, who = Together(roster, settings.engine.clients), _hostile(settings)
    if not who:
        return honest
    return HostileAnswers(honest, _attack(settings), who, settings.key)


def collecting_of(
    settings: Settings, spec: Genesis, answers: Answers, roster: Roster, traffic: Traffic
) -> Collecting:
    """Return how what clients say comes to the server: in the clear, or as secure sums."""
    if spec.secure is None:
        return InTheClear(answers, traffic)
    whole = settings.secure.simulate == "protocol"
    return SecureSums(answers, roster, spec.secure, spec.privacy, whole, traffic)


def with_hostile_data(settings: Settings, task: Task) -> Task:
    """Return the task with what an attack makes of the hostile clients' targets."""
    who = _hostile(settings)
    if not who or settings.hostile.attack != "label_flip":
        return task
    return poison(task, _attack(settings), who)


def grouping(settings: Settings) -> Callable[[int], int] | None:
    """Return clients of a round to its number of groups; None where there is but one, unnamed."""
    one = settings.groups.number == 1 and settings.groups.directions == "own"
    return None if one else partial(groups_of, settings)


def _attack(settings: Settings) -> Attack:
    return make_attack(settings.hostile.attack, settings.hostile.strength or None)


def _hostile(settings: Settings) -> frozenset[int]:
    return hostile_clients(settings.key, settings.federation.clients, settings.hostile.share)
