"""What a user calls from Python: `federate`, and the run that it and the command line share."""

from __future__ import annotations

from baffle.api.advise import advise
from baffle.api.federate import Result, federate
from baffle.api.run import Hooks, go_on, run

__all__ = ["Hooks", "Result", "advise", "federate", "go_on", "run"]
