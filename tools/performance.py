"""Put measured figures into the documents: `python tools/performance.py [--check]`.

Each table stands between `<!-- NAME -->` and `<!-- end -->` and is made from benchmarks/FILE.json,
which `baffle bench … --output FILE` wrote. With --check nothing is written, and a table that is not
what the figures say is an error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "docs" / "performance.md", ROOT / "README.md")
FIGURES = ROOT / "benchmarks"
Row = dict[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(value: float | None) -> str:
    """Return a ratio in two or three digits, a dash for what failed."""
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def throughput(rows: list[Row]) -> str:
    """Return examples a second over those of plain inference."""
    sides = ("ours", "ours_shared", "randn_loop", "vmap", "backward", "checkpointed")
    heads = ["model", "B", "threads", "plain, examples/s", "ours", "ours, second client"]
    heads += ["randn loop", "vmap", "back-propagation", "checkpointed", "spread of ours"]
    return table(
        heads,
        (
            [
                r["model"],
                str(r["batch"]),
                f"{r['settings']['inference']['threads']} / {r['threads']}",
                f"{r['inference_examples_per_second']:,.0f}",
                *(ratio(r["ratio"].get(side)) for side in sides),
                f"{100 * r['spread']['ours']:.1f} %",
            ]
            for r in rows
        ),
    )


def speed(rows: list[Row]) -> str:
    """Return the short form of `throughput`, for the README."""
    heads = ["model", "B", "plain inference", "32 probes", "32 probes, one by one as usual"]
    heads += ["a training step costs"]
    return table(
        heads,
        (
            [
                r["model"],
                str(r["batch"]),
                "1",
                ratio(r["ratio"]["ours"]),
                ratio(r["ratio"]["randn_loop"]),
                f"{r['directions'] / r['training_steps']['batch']:.1f} probes",
            ]
            for r in rows
        ),
    )


def training(rows: list[Row]) -> str:
    """Return what K probes cost in training steps."""
    heads = ["model", "B", "K/5", "steps on B rows", "at the best chunk", "checkpointed"]
    names = ("batch", "best_chunk", "checkpointed")
    return table(
        heads,
        (
            [
                r["model"],
                str(r["batch"]),
                f"{r['directions'] / 5:.1f}",
                *(_number(r["training_steps"].get(name)) for name in names),
            ]
            for r in rows
        ),
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def options(rows: list[Row]) -> str:
    """Return what an option gains, and how its losses go with those without it."""
    heads = ["model", "B", "route", "ours", "spread", "correlation of K losses"]
    heads += ["largest difference"]
    return table(
        heads,
        (
            [
                r["model"],
                str(r["batch"]),
                r["route"],
                ratio(r["ratio"]["ours"]),
                f"{100 * r['spread']['ours']:.1f} %",
                f"{r['losses']['correlation']:.4f}",
                f"{r['losses']['largest_difference']:.1e}",
            ]
            for r in rows
        ),
    )


def profile(rows: list[Row]) -> str:
    """Return the parts of both sides in percent of plain inference's time."""
    parts = ("products", "correction", "attention", "elementwise", "loss", "drawing", "python")
    lines = []
    for r in rows:
        whole = r["total"]["inference"]
        for side, name in (("inference", "plain"), ("ours", r["route"])):
            found = [f"{100 * r['milliseconds'][side][part] / whole:.1f}" for part in parts]
            lines.append([r["model"], str(r["batch"]), name, f"{r['total'][side]:.1f}", *found])
    return table(["model", "B", "side", "ms", *parts], lines)


def rebuild(rows: list[Row]) -> str:
    """Return seconds of a rebuild and of the Gaussian loop."""
    heads = ["directions", "K", "library", "ms", "Gaussian loop, ms", "ratio", "temporary MiB"]
    return table(
        heads,
        (
            [
                f"{r['kind']}, {r['bits']} bits",
                f"{r['directions']:,}",
                r["library"],
                f"{1e3 * r['seconds']:.1f}",
                f"{1e3 * r['gaussian_loop_seconds']:.0f}",
                f"{r['ratio']:.1f}",
                _number(r.get("temporary_mib")),
            ]
            for r in rows
        ),
    )


def memory(rows: list[Row]) -> str:
    """Return peaks of resident memory."""
    ways = ("ours_chunk_1", "ours", "backward", "checkpointed")
    heads = ["model", "B", "imports", "plain", "ours, a point a pass", "ours"]
    heads += ["back-propagation", "checkpointed"]
    return table(
        heads,
        (
            [
                r["model"],
                str(r["batch"]),
                f"{r['peak_mib']['imports']:.0f}",
                f"{r['peak_mib']['inference']:.0f}",
                *(f"{r['peak_mib'][w]:.0f} (×{r['ratio'][w]:.2f})" for w in ways),
            ]
            for r in rows
        ),
    )


def simulate(rows: list[Row]) -> str:
    """Return seconds a simulated round."""
    heads = ["model", "clients a round", "K", "B", "one by one, s", "together, s", "ratio"]
    heads += ["clients/s", "peak MiB"]
    return table(
        heads,
        (
            [
                r["model"],
                f"{r['clients']:,}",
                str(r["directions"]),
                str(r["batch"]),
                *(_seconds(r[k]) for k in ("seconds_one_by_one", "seconds_together")),
                _number(r["ratio"]),
                f"{r['clients_a_second']:,.0f}",
                f"{r['peak_mib']:.0f}",
            ]
            for r in rows
        ),
    )


def secagg(rows: list[Row]) -> str:
    """Return what a secure sum costs a client and the server."""
    heads = ["clients", "gone", "neighbours", "any of them", "client, ms", "slowest", "first round"]
    heads += ["server, ms", "kB up", "kB down", "B in the clear", "sum"]
    return table(
        heads,
        (
            [
                *(f"{r[k]:,}" for k in ("clients", "gone", "neighbours", "threshold")),
                *(_number(r[k]) for k in ("client_ms", "client_ms_worst", "first_ms")),
                f"{r['server_ms']:,.1f}",
                *(_number(r[k] / 1000) for k in ("bytes_up", "bytes_down")),
                str(r["report_bytes"]),
                "exact" if r["exact"] else "WRONG",
            ]
            for r in rows
        ),
    )


def secagg_flower(rows: list[Row]) -> str:
    """Return whole rounds of ours and of Flower's, in processor time."""
    heads = ["clients", "K", "gone", "neighbours, any of them: ours", "Flower's"]
    heads += ["client, ms: ours", "Flower's", "server, ms: ours", "Flower's"]
    heads += ["round, s: ours", "Flower's", "ratio", "after our first round"]
    return table(heads, map(_beside_flower, rows))


def _beside_flower(row: Row) -> list[str]:
    sides = row["ours"], row["flower"]
    return [
        *(f"{row[name]:,}" for name in ("clients", "directions", "gone")),
        *(f"{side['neighbours']}, {side['threshold']}" for side in sides),
        *(_number(side["client_ms"]) for side in sides),
        *(f"{side['server_ms']:,.1f}" for side in sides),
        *(_seconds(side["seconds"]) for side in sides),
        *(_number(row[name]) for name in ("ratio", "ratio_later")),
    ]


def device(rows: list[Row]) -> str:
    """Return a client's peaks without torch, and its speed beside plain inference."""
    heads = ["model", "weights", "B", "of them a pass", "points at once", "update", "a round, MiB"]
    heads += ["before a run"]
    heads += ["with torch: probes", "a training step", "checkpointed", "K = 64 probes, s"]
    heads += ["of plain inference"]
    return table(
        heads,
        (
            [
                r["model"],
                f"{r['weights']:,}",
                str(r["batch"]),
                str(r["pass_batch"] or r["batch"]),
                str(r["points"]),
                "SGD" if r["lean"] else "Adam, average",
                *(f"{r[name]:.0f}" for name in ("peak_mib", "before_mib")),
                *(f"{peak:.0f}" for peak in r["torch_peak_mib"].values()),
                _seconds(r["seconds"]["probes"]),
                ratio(r["ratio"]),
            ]
            for r in rows
        ),
    )


Tables = Mapping[str, tuple[str, Callable[[list[Row]], str]]]
TABLES: Tables = {
    "throughput": ("throughput", throughput),
    "speed": ("throughput", speed),
    "training": ("throughput", training),
    "bfloat16": ("bfloat16", options),
    "compiled": ("compiled", options),
    "profile": ("profile", profile),
    "rebuild": ("rebuild", rebuild),
    "memory": ("memory", memory),
    "simulate": ("simulate", simulate),
    "secagg": ("secagg", secagg),
    "secagg_flower": ("secagg_flower", secagg_flower),
    "device": ("device", device),
}


def filled(page: str, tables: Tables | None = None) -> str:
    """Return the page with each of its tables made anew; by default those of this file."""
    known = TABLES if tables is None else tables

    def put(match: re.Match[str]) -> str:
        file, make = known[match[1]]
        rows = json.loads((FIGURES / f"{file}.json").read_text(encoding="utf-8"))["rows"]
        return f"<!-- {match[1]} -->\n\n{make(rows)}\n\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", put, page, flags=re.DOTALL)


def main(check: bool, pages: Sequence[Path] = PAGES, tables: Tables | None = None) -> int:
    """Write the pages, or say whether they are as the figures are."""
    wrong = 0
    for page in pages:
        before = page.read_text(encoding="utf-8")
        after = filled(before, tables)
        if not check:
            page.write_text(after, encoding="utf-8")
        elif before != after:
            print(f"{page.name} is not what benchmarks/*.json say: run its tool without --check")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
