"""Reports: curves, summaries, comparisons and live progress, all from a run folder's own files."""

from __future__ import annotations

from baffle.report.compare import compare
from baffle.report.curves import draw_curves
from baffle.report.live import Progress
from baffle.report.summary import Summary, summarise

__all__ = ["Progress", "Summary", "compare", "draw_curves", "summarise"]
