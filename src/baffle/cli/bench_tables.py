"""The tables of `baffle bench`, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from baffle.report.units import UNKNOWN, bytes_text, count_text, is_known, number_text

Rows = Sequence[dict[str, Any]]

RATIOS = {  # of a row of `throughput`, and their headings
    "ours": "ours",
    "ours_shared": "ours,\nshared",
    "randn_loop": "randn\nloop",
    "vmap": "vmap",
    "backward": "back-\nprop.",
    "backward_at_batch": "on B\nrows",
    "checkpointed": "check-\npointed",
}


def throughput_table(rows: Rows) -> RenderableType:
    """Return the ratios, what K probes cost in training steps, and what failed."""
    table = _table("model", "B", "plain\n/s", *RATIOS.values(), "steps")
    for row in rows:
        table.add_row(
            row["model"],
            str(row["batch"]),
            count_text(row["inference_examples_per_second"]),
            *(_ratio(row["ratio"].get(name)) for name in RATIOS),
            number_text(row["training_steps"]["batch"], 2),
        )
    return Group(table, *map(Text, _throughput_notes(rows)))


def _throughput_notes(rows: Rows) -> Iterable[str]:
    directions = ", ".join(str(k) for k in sorted({row["directions"] for row in rows}))
    largest = max(spread for row in rows for spread in row["spread"].values())
    ours = max(row["spread"]["ours"] for row in rows)
    yield (
        f"Examples a second over those of the best plain inference, K {directions}. On B rows: "
        "training steps of the batch itself; steps: how many of these cost as much as K probes."
    )
    yield (
        f"Quartiles of a ratio lie at most {100 * ours:.1f} % apart for ours, "
        f"{100 * largest:.1f} % for any."
    )
    for row in rows:
        for name, reason in row["failed"].items():
            yield f"{row['model']}, B {row['batch']}: {name} failed: {reason}"


SHARES = {  # of a row of `profile`, and their headings
    "products": "prod-\nucts",
    "correction": "correc-\ntion",
    "attention": "atten-\ntion",
    "elementwise": "element-\nwise",
    "loss": "loss",
    "drawing": "draw-\ning",
    "python": "python",
}


def profile_table(rows: Rows) -> RenderableType:
    """Return the parts of both sides in percent of plain inference's time."""
    table = _table("model", "B", "side", "ms", *SHARES.values())
    for row in rows:
        whole = row["total"]["inference"]
        for side in ("inference", "ours"):
            parts = row["milliseconds"][side]
            table.add_row(
                row["model"],
                str(row["batch"]),
                "plain" if side == "inference" else "ours",
                f"{row['total'][side]:.1f}",
                *(f"{100 * parts[name] / whole:.1f}" for name in SHARES),
            )
    return Group(table, Text("Parts in percent of plain inference's time, for all K·B rows."))


WAYS = {  # of a row of `memory`, and their headings
    "ours_chunk_1": "ours, a point\na pass",
    "ours": "ours",
    "backward": "back-\nprop.",
    "checkpointed": "check-\npointed",
}


def memory_table(rows: Rows) -> RenderableType:
    """Return peaks in MiB, with their ratios to plain inference."""
    table = _table("model", "B", "imports", "plain", *WAYS.values())
    for row in rows:
        peaks, ratios = row["peak_mib"], row["ratio"]
        table.add_row(
            row["model"],
            str(row["batch"]),
            f"{peaks['imports']:.0f}",
            f"{peaks['inference']:.0f}",
            *(f"{peaks[way]:.0f} ×{ratios[way]:.2f}" for way in WAYS),
        )
    note = (
        "Peak resident MiB of a fresh process, and times plain inference's. imports: torch and "
        "the module's code alone, part of all others."
    )
    return Group(table, Text(note))


def rebuild_table(rows: Rows) -> RenderableType:
    """Return seconds of a rebuild, with how many times longer the Gaussian loop takes."""
    table = _table(
        "directions", "K", "bits", "library", "seconds", "loop", "× faster", "MiB\nbeside"
    )
    for row in rows:
        table.add_row(
            row["kind"],
            f"{row['directions']:,}",
            str(row["bits"]),
            row["library"] + ("" if row["device"] == "cpu" else f" {row['device']}"),
            number_text(row["seconds"]),
            number_text(row["gaussian_loop_seconds"]),
            _times(row["ratio"]),
            number_text(row["temporary_mib"]),
        )
    return Group(table, *map(Text, _rebuild_notes(rows)))


def _rebuild_notes(rows: Rows) -> Iterable[str]:
    first = rows[0]
    yield (
        f"{count_text(first['weights'])} weights, threads {first['threads']}. loop: seconds of K "
        "times torch.randn from a seed, added up; beside: most memory held beside the estimate."
    )
    differing = [f"{r['kind']}, K {r['directions']}" for r in rows if not r["same_bits"]]
    yield f"bits differ: {'; '.join(differing)}" if differing else "The same bits in all libraries."


def simulate_table(rows: Rows) -> RenderableType:
    """Return seconds a round of both ways, with how many times faster the second one is."""
    table = _table(
        "model",
        "clients",
        "K",
        "B",
        "one by\none, s",
        "together, s",
        "× faster",
        "clients\n/s",
        "MiB",
    )
    for row in rows:
        table.add_row(
            row["model"],
            *(f"{row[name]:,}" for name in ("clients", "directions", "batch")),
            number_text(row["seconds_one_by_one"]),
            number_text(row["seconds_together"]),
            _times(row["ratio"]),
            count_text(row["clients_a_second"]),
            UNKNOWN if row["peak_mib"] is None else f"{row['peak_mib']:,.0f}",
        )
    note = "Seconds of a whole round, the median; MiB: most resident memory of the process."
    return Group(table, Text(note))


def secagg_table(rows: Rows) -> RenderableType:
    """Return milliseconds and bytes of a client and milliseconds of the server."""
    table = _table(
        "clients", "gone", "k", "t", "client\nms", "first\nround", "server\nms", "up", "down",
        "in the\nclear", "sum",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            *(f"{row[name]:,}" for name in ("clients", "gone", "neighbours", "threshold")),
            *(number_text(row[name]) for name in ("client_ms", "first_ms")),
            _times(row["server_ms"]),
            *(bytes_text(row[name]) for name in ("bytes_up", "bytes_down", "report_bytes")),
            "exact" if row["exact"] else "WRONG",
        )
    return Group(table, *map(Text, _secagg_notes(rows)))


def device_table(rows: Rows) -> RenderableType:
    """Return a client's peak memory beside torch's, and its speed beside plain inference."""
    table = _table(
        "model", "weights", "K", "B", "P", "a round\nMiB", "imports\nMiB", "torch:\nprobes",
        "a step", "check-\npointed", "probes/s", "over plain\ninference",
    )  # fmt: skip
    for row in rows:
        torch = row["torch_peak_mib"]
        table.add_row(
            row["model"],
            *(f"{row[name]:,}" for name in ("weights", "directions", "batch", "points")),
            *(f"{row[name]:,.0f}" for name in ("peak_mib", "before_mib")),
            *(f"{torch[name]:,.0f}" for name in ("ours_chunk_1", "backward", "checkpointed")),
            number_text(row["directions"] / row["seconds"]["probes"]),
            _ratio(row["ratio"]),
        )
    note = (
        "MiB: most resident memory of a fresh process; a round: of a client without torch, from "
        "its start over whole rounds; P: points at once; over plain inference: rows a second of "
        "probes over those of the same runtime on the unmodified graph."
    )
    return Group(table, Text(note))


def _secagg_notes(rows: Rows) -> Iterable[str]:
    directions = ", ".join(str(k) for k in sorted({row["directions"] for row in rows}))
    worst = max(row["client_ms_worst"] / row["client_ms"] for row in rows)
    yield (
        f"K {directions}; processor time. k neighbours share each client's secrets, any t of them "
        "can stand in for it. client: all of a round; first round: nothing cached, all signatures "
        f"verified. The slowest client timed took ×{worst:.2f}."
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True, vertical="bottom")
    for title in others:
        table.add_column(title, justify="right", vertical="bottom", no_wrap=True)
    return table


def _times(value: float | None) -> str:
    """Return three digits that count, without an exponent."""
    return f"{value:,.0f}" if is_known(value) and value >= 100 else number_text(value)


def _ratio(value: float | None) -> str:
    if not is_known(value):
        return UNKNOWN
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
