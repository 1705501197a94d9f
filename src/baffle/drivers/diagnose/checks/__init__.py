"""What is looked at, causes before their consequences. Add a check by a function and a row here.

A check gets the figures and returns a finding, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from baffle.drivers.diagnose.checks import clients, integers, model, noise, signal, stepping
from baffle.drivers.diagnose.figures import Figures
from baffle.drivers.diagnose.finding import Finding

Check = Callable[[Figures], Finding | None]

CHECKS: Mapping[str, Check] = {
    "reports": clients.reports,
    "model": model.probing,
    "batch_norm": model.batch_norm,
    "precision": noise.precision,
    "quantisation": integers.quantisation,
    "radius": noise.radius,
    "clipping": integers.clipping,
    "hostile": clients.hostile,
    "privacy": signal.privacy,
    "directions": signal.directions,
    "drift": clients.drift,
    "step_size": stepping.step_size,
    "finite": noise.finite,
    "dead": model.dead,
    "batch_noise": signal.batch_noise,
    "schedule": stepping.schedule,
}

__all__ = ["CHECKS", "Check"]
