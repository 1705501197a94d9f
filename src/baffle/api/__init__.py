"""What a user calls from Python: `federate`, and the run that it and the command line share.

`advise` lies beside them and is loaded when it is asked for, since it loads what measures.
"""

from __future__ import annotations

from baffle.api.federate import Result, federate
from baffle.api.run import Hooks, go_on, run

__all__ = ["Hooks", "Result", "federate", "go_on", "run"]
