"""`baffle export`: a torch module to a folder that a client without torch can probe."""

from __future__ import annotations

from baffle.drivers.export.write import Exported, export

__all__ = ["Exported", "export"]
