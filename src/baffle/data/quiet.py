"""Other packages' work done without their noise, and without their telemetry."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator

_TELEMETRY = "flwr_datasets.common.telemetry"
_SWITCH = "FLWR_TELEMETRY_ENABLED"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within it, nothing is printed or warned, and Flower's telemetry is off.

    Progress bars and other packages' advice about their own options are no news to our callers;
    errors still come through. Everything is put back on the way out.

    Example:
        >>> with quiet():
        ...     print("not seen")
    """
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        _telemetry_off(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _telemetry_off() -> Iterator[None]:
    """The partitioners send no events today; this keeps it so. Only events are ever sent, none on
    import, so a module that is not loaded yet needs no switch."""
    module = sys.modules.get(_TELEMETRY)
    before = getattr(module, _SWITCH, None)
    if before is None:
        yield
        return
    setattr(module, _SWITCH, "0")
    try:
        yield
    finally:
        setattr(module, _SWITCH, before)
