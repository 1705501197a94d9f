"""Commands on models: check, convert."""

from __future__ import annotations

COMMANDS = ()
