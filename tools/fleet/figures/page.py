"""Put a fleet's figures into docs/fleet.md: `python -m tools.fleet.figures.page [--check]`.

As tools/performance.py does for the other pages: a table between `<!-- NAME -->` and `<!-- end -->`
is made from benchmarks/FILE.json. With --check nothing is written, and a difference is an error.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable

from tools import performance
from tools.fleet.figures.writing import Row
from tools.performance import table

PAGE = performance.ROOT / "docs" / "fleet.md"
DOWN = ("signature", "header", "plan", "previous plan", "outcome", "whole")
UP = ("head", "report header", "values", "whole")


def bytes_down(rows: list[Row]) -> str:
    """Return what an ask takes, by part."""
    heads = ["clients a round", *DOWN[:-1], "together, at most", "if all sums were largest"]
    heads += ["FedAvg", "FedAvg over ours"]
    return table(
        heads,
        (
            [
                str(r["cohort"]),
                *(str(r["down"][part]) for part in DOWN[:-1]),
                str(r["most_down"]),
                str(r["bound_down"]),
                f"{r['fedavg']:,}",
                f"{r['ratio_down']:.0f}",
            ]
            for r in rows
        ),
    )


def bytes_up(rows: list[Row]) -> str:
    """Return what an answer takes, by part."""
    heads = ["clients a round", *UP[:-1], "together", "with an evaluation", "FedAvg"]
    heads += ["FedAvg over ours"]
    return table(
        heads,
        (
            [
                str(r["cohort"]),
                *(str(r["up"][part]) for part in UP),
                str(r["most_up"]),
                f"{r['fedavg']:,}",
                f"{r['ratio_up']:.0f}",
            ]
            for r in rows
        ),
    )


def late_join(rows: list[Row]) -> str:
    """Return both ways to come up to date."""
    heads = ["model", "weights", "K", "rounds missed", "rounds, kB", "a state, kB"]
    heads += ["rounds, s", "of it at the client", "a state, s", "of it at the client"]
    heads += ["the server sends", "the other way takes"]
    return table(heads, map(_joined, rows))


def _joined(row: Row) -> list[str]:
    rounds, state = row["ways"]["rounds"], row["ways"]["snapshot"]
    missed = f"{row['joined']:,}, all" if row["away"] is None else str(row["away"])
    return [
        row["model"],
        f"{row['parameters']:,}",
        str(row["directions"]),
        missed,
        *(f"{way['bytes'] / 1000:,.1f}" for way in (rounds, state)),
        *(_seconds(way[part]) for way in (rounds, state) for part in ("total", "client")),
        {"rounds": "rounds", "snapshot": "a state"}[row["chosen"]],
        f"× {row['ratio']:.1f}",
    ]


def scale_local(rows: list[Row]) -> str:
    """Return the local driver with many clients."""
    heads = ["clients", "asked a round", "s a round", "processor s a round", "peak MiB"]
    heads += ["bytes a client not asked"]
    return table(
        heads,
        (
            [
                f"{r['clients']:,}",
                f"{r['cohort']:,}",
                *(_seconds(r[name]) for name in ("round_seconds", "processor_seconds")),
                f"{r['peak_mib']:.0f}",
                f"{r['bytes_a_client']:.0f}",
            ]
            for r in _of(rows, "local")
        ),
    )


def scale_flower(rows: list[Row]) -> str:
    """Return Flower's simulation beside the local driver, the least clients first."""
    heads = ["clients", "driver", "s to start", "first round, s", "later rounds, s", "s to end"]
    heads += ["peak MiB", "MiB a client more", "processes"]
    found = _of(rows, "flower")
    return table(heads, (line for row in found for line in _sides(row, found[0])))


def _sides(row: Row, least: Row) -> Iterable[list[str]]:
    for side, name in (("flower", "Flower's simulation"), ("local", "local")):
        found, more = row[side], row["clients"] - least["clients"]
        growth = (found["peak_mib"] - least[side]["peak_mib"]) / more if more else None
        yield [
            str(row["clients"]),
            name,
            _seconds(found.get("start_seconds")),
            _seconds(found["rounds"][0]),
            _seconds(statistics.median(found["rounds"][1:])),
            _seconds(found.get("end_seconds")),
            f"{found['peak_mib']:,.0f}",
            "–" if growth is None else f"{growth:.1f}",
            str(found.get("processes", 1)),
        ]


def overhead(rows: list[Row]) -> str:
    """Return our app beside one that echoes as many bytes."""
    heads = ["nodes", "ours, s a round", "bare, s a round", "ours over bare"]
    heads += ["bytes down", "bytes up"]
    return table(
        heads,
        (
            [
                str(r["nodes"]),
                f"{r['ours']:.2f}",
                f"{r['bare']:.2f}",
                f"{r['ratio']:.2f}",
                str(r["bytes_down"]),
                str(r["bytes_up"]),
            ]
            for r in rows
        ),
    )


def kills(rows: list[Row]) -> str:
    """Return deployments whose parts were killed."""
    heads = ["rounds", "killed, in this order", "reports refused or missing", "minutes", "digest"]
    return table(heads, map(_killed, rows))


def _killed(row: Row) -> list[str]:
    names = [f"SuperNode {k}" if k.isdigit() else str(k) for k in row["kills"]]
    faults = ", ".join(f"{reason} {n}" for reason, n in row["faults"].items()) or "none"
    same = "the same in every round" if row["same"] else "DIFFERENT"
    return [str(row["rounds"]), ", ".join(names), faults, f"{row['seconds'] / 60:.1f}", same]


def chaos(rows: list[Row]) -> str:
    """Return what happened to simulated fleets."""
    (row,) = rows
    lines = [
        ["runs", f"{row['seeds']:,}"],
        ["rounds", f"{row['rounds']:,}"],
        ["clients a run", str(row["clients"])],
        *([name, f"{n:,}"] for name, n in row["happened"].items()),
        ["**runs that broke a rule**", f"**{row['failed']:,}**"],
    ]
    return table(["what", "how often"], lines)


def fuzz(rows: list[Row]) -> str:
    """Return what the decoders made of generated inputs."""
    heads = ["decoder", "inputs", "accepted", "refused", "failed", "inputs/s", "worst ms"]
    heads += ["worst bytes", "bound"]
    return table(heads, ([str(r[name]) for name in heads] for r in rows))


def _of(rows: list[Row], driver: str) -> list[Row]:
    return [row for row in rows if row["driver"] == driver]


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


TABLES: performance.Tables = {
    "bytes_down": ("fleet_bytes", bytes_down),
    "bytes_up": ("fleet_bytes", bytes_up),
    "late_join": ("fleet_late_join", late_join),
    "scale_local": ("fleet_scale", scale_local),
    "scale_flower": ("fleet_scale", scale_flower),
    "overhead": ("fleet_overhead", overhead),
    "kills": ("fleet_kills", kills),
    "chaos": ("fleet_chaos", chaos),
    "fuzz": ("fleet_fuzz", fuzz),
}


def main(check: bool) -> int:
    """Write the page, or say whether it is as the figures are."""
    return performance.main(check, (PAGE,), TABLES)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
