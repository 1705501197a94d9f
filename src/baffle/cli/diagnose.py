"""`baffle diagnose`: why does a run not learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baffle.cli.output import Output

Json = Annotated[
    bool, typer.Option("--json", help="One JSON object as the last line of standard output.")
]


def diagnose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say why a run does not learn, and what to change first.

    Only reads; the run may be in progress. Where the configuration's model and data are here, some
    ten thousand losses are evaluated at its first and last weights; else only its folder is looked
    at. Of a run with privacy that looks at data outside of what the run promises.
    """
    output = Output(as_json)
    from baffle.drivers.diagnose import diagnose as diagnosed  # torch loads only now
    from baffle.report.diagnosis import diagnosis_table

    found = diagnosed(run)
    output.show(found.as_dict(), diagnosis_table(found))
