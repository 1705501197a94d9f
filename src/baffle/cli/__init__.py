"""The `baffle` command."""

from __future__ import annotations

from baffle.cli.main import main

__all__ = ["main"]
