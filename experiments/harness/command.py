"""The command line of all studies."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.harness.ending import end_cleanly
from experiments.harness.pictures import draw, stale
from experiments.harness.results import Line, add, missing, orphans, results_of
from experiments.harness.runner import Ended, run_at_once, run_here
from experiments.harness.study import Cell, Study, load, studies
from experiments.harness.tables import fill, mistakes

KILLED = 130  # as shells say it of Ctrl-C


def main(arguments: Sequence[str]) -> int:
    """Run what is missing of a study; returns 0 if every cell that was to run has a result."""
    given = _parsed(arguments)
    try:
        study = load(given.study)
        cells = list(_chosen(study, given.only))
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 2
    if given.folder:
        study = replace(study, folder=given.folder, images=given.folder, pages=())
    if wrong := list(_wrong_settings(cells)):
        print("\n".join(wrong), file=sys.stderr)
        return 2
    if given.list or given.dry:
        return _told(study, cells, dry=given.dry)
    if given.check:
        return _checked(study)
    try:
        end_cleanly()
        return 0 if given.report or _run(study, cells, given.jobs) else 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on with what is missing", file=sys.stderr)
        return KILLED
    finally:
        fill(study)
        for path in draw(study):
            print(f"drew {path}")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m experiments", description=__doc__)
    parser.add_argument("study", help=f"one of {', '.join(studies())}, or a module with a STUDY")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, a thread each")
    parser.add_argument(
        "--only", action="append", default=[], metavar="LABEL=VALUE[,VALUE]", help="these cells"
    )
    parser.add_argument("--list", action="store_true", help="every cell and what it came to")
    parser.add_argument("--dry", action="store_true", help="what would run")
    parser.add_argument("--report", action="store_true", help="only make tables and pictures anew")
    parser.add_argument("--check", action="store_true", help="do the pages say what results say?")
    parser.add_argument("--folder", type=Path, help="results, README.md and pictures lie here")
    return parser.parse_args(arguments)


def _chosen(study: Study, only: Sequence[str]) -> Iterator[Cell]:
    """Yield the cells that pass every filter.

    Raises:
        ValueError: a filter is no LABEL=VALUE, or names a label or value that no cell has.
    """
    wanted = [_filter(study, text) for text in only]
    for cell in study.cells:
        if all(str(cell.labels.get(label)) in values for label, values in wanted):
            yield cell


def _filter(study: Study, text: str) -> tuple[str, list[str]]:
    label, equals, values = text.partition("=")
    known = dict.fromkeys(str(c.labels[label]) for c in study.cells if label in c.labels)
    listed = [values] if values in known else values.split(",")  # a value may hold a comma
    if not equals or not known or not set(listed) <= known.keys():
        names = ", ".join(dict.fromkeys(name for cell in study.cells for name in cell.labels))
        values_known = f" with a value among {', '.join(known)}" if known else ""
        raise ValueError(f"--only: expected a label among {names}{values_known}, got {text!r}")
    return label, listed


def _wrong_settings(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield what the library says of settings that it does not take, before hours are spent."""
    from baffle.config import resolve
    from baffle.errors import ConfigError

    for cell in filter(lambda cell: cell.is_run, cells):
        try:
            resolve(cell.settings)
        except ConfigError as problem:
            yield f"{cell}: {problem}"


def _told(study: Study, cells: Sequence[Cell], *, dry: bool) -> int:
    """Print the cells, with dry only those that would run."""
    done, left = {r.cell: r for r in results_of(study)}, 0
    for cell in cells:
        if cell in done and not dry:
            print(f"{cell.id}  {cell}  {_figures(done[cell].line)}")
        elif cell not in done:
            left += 1
            print(f"{cell.id}  {cell}  missing")
    print(f"{len(cells)} cells, {left} missing; {orphans(study)} lines of no cell")
    return 0


def _checked(study: Study) -> int:
    found = mistakes(study) + ([] if missing(study) else stale(study))
    print("\n".join(found) or f"{study.name}: pages and pictures are what the results say")
    return 1 if found else 0


def _run(study: Study, cells: Sequence[Cell], jobs: int) -> bool:
    """Run what is missing of these cells; returns whether all went well."""
    open_cells = {cell.id for cell in missing(study)}
    left = [cell for cell in cells if cell.id in open_cells]
    started, failed = time.perf_counter(), []
    fill(study)
    print(f"{study.name}: {len(left)} of {len(cells)} cells to run", flush=True)
    for number, ended in enumerate(_ends(study, left, jobs), start=1):
        if ended.line is None:
            failed.append(ended.cell)
        elif add(study.folder, ended.line):
            fill(study)
        each = (time.perf_counter() - started) / number
        text = "failed" if ended.line is None else _figures(ended.line)
        rest = f"about {each * (len(left) - number) / 60:.0f} min left"
        print(f"{number}/{len(left)}  {ended.cell}  {text}  {rest}", flush=True)
    for cell in failed:
        print(f"failed: {cell}", file=sys.stderr)
    return not failed


def _ends(study: Study, cells: Sequence[Cell], jobs: int) -> Iterator[Ended]:
    if jobs > 1:
        yield from run_at_once(study, cells, jobs)
        return
    for cell in cells:
        if cell in missing(study):  # another runner may have been here meanwhile
            yield run_here(study, cell)


def _figures(line: Line) -> str:
    summary = line["summary"]
    accuracy = summary.get("test_accuracy")
    shown = "no test" if accuracy is None else f"{100 * accuracy:.2f} %"
    return f"{shown}  {line['wall_seconds']:.0f} s"
