"""Imported once by the process that gateways are forked from: what takes seconds to load."""

from baffle.config import resolve
from baffle.drivers.local.task import task_of
from tests.drivers.fleet.loopback import CONFIG
from tests.drivers.http import live

TASK, LIVE = task_of(resolve(CONFIG)), live
