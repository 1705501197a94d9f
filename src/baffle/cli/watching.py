"""A run on the screen: calibration, the live line, the summary."""

from __future__ import annotations

import json
from collections.abc import Callable

from baffle.api import Hooks
from baffle.api.monitoring import monitored
from baffle.baselines import BASELINES
from baffle.cli.interrupt import Interrupt
from baffle.cli.output import Output
from baffle.config import Settings
from baffle.drivers.local.calibrate import Trial
from baffle.drivers.local.training import Training
from baffle.monitor import Many
from baffle.report import Progress, Summary


def trained(output: Output, monitors: Many, work: Callable[[Hooks], Summary]) -> None:
    """Run some work with progress on the screen, then show what it came to.

    Args:
        output: where to print.
        monitors: told as well, and closed.
        work: takes hooks, returns a summary.
    """
    with monitors, Interrupt() as stop, Watcher(output) as watcher:
        hooks = Hooks(watcher.trial, watcher.start, watcher.round, stop)
        summary = work(monitored(monitors, hooks))
    renderables = [summary.as_table()]
    if stop.caught and summary.algorithm in BASELINES:
        renderables.append("interrupted at a round's border; a baseline's run cannot go on")
    elif stop.caught:
        renderables.append(
            f"interrupted at a round's border; go on with: baffle resume {summary.run_dir}"
        )
    elif summary.privacy and summary.rounds < summary.rounds_planned:
        renderables.append(
            f"ended after round {summary.rounds} of {summary.rounds_planned}: one more would pass "
            "the privacy budget"
        )
    output.show(json.loads(summary.as_json()), *renderables)


def _means(settings: Settings) -> str:
    """Return what a round is made of, in one line."""
    s = settings
    step = f"batch {s.probe.batch or 'all'}, step size {s.update.step_size:.4g}"
    if s.algorithm not in BASELINES:
        return f"K {s.probe.num_directions}, {step}, chunk {s.engine.chunk}"
    directions = f"K {s.probe.num_directions}, " if BASELINES[s.algorithm].directions else ""
    return f"{directions}local steps {s.probe.num_local_steps}, {step}"


class Watcher:
    """Prints trials as they end and keeps the live line."""

    def __init__(self, output: Output) -> None:
        self.console = output.console
        self.progress: Progress | None = None

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *error: object) -> None:
        if self.progress is not None:
            self.progress.__exit__(*error)  # type: ignore[arg-type]

    def trial(self, trial: Trial) -> None:
        """Print a calibration trial."""
        self.console.print(
            f"calibrating: step size {trial.step_size:<8.4g} training loss {trial.loss:.4f}"
            f"  ({trial.seconds:.1f} s)"
        )

    def start(self, session: Training) -> None:
        """Say what is about to run and where it is kept; begin the live line."""
        s = session.settings
        self.console.print(
            f"{s.algorithm} on {s.data.name}, {s.model.name} of {session.dimension:,} parameters; "
            f"{s.federation.clients:,} clients, {session.cohort:,} asked a round\n"
            f"{_means(s)}, threads {s.engine.threads}"
        )
        self.console.print(f"run folder {session.folder}")
        self.progress = Progress(self.console, s.rounds, private=s.privacy.unit != "none")
        self.progress.__enter__()

    def round(self, row: dict) -> None:  # type: ignore[type-arg]
        """Update the live line."""
        if self.progress is not None:
            self.progress.update(row)
