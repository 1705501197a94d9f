"""What each part came to, by probes and by back-propagation, as Markdown."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from experiments.finetuning import memory, prefix, start
from experiments.finetuning.backprop import PASSES
from experiments.harness import Result, Results, table

WORDS = {
    "negatives": "ResNet-20 on negatives",
    "mobilenet": "MobileNetV2 on CIFAR-10",
    "squeezenet": "SqueezeNet on CIFAR-10",
    "plays": "stories260K on plays",
    "sst2": "stories260K on SST-2",
}
Figure = Callable[[Result], float]


def groups(results: Results) -> Iterator[tuple[str, str, Results]]:
    """Yield task, part and their results, in the study's order."""
    names = dict.fromkeys((r.cell.labels["task"], r.cell.labels["part"]) for r in results)
    for task, part in names:
        yield str(task), str(part), results.select(task=task, part=part)


def score(result: Result, which: str) -> float:
    """Return bits a byte for plays, else accuracy; which is "test", "first" or "fedavg"."""
    if result.cell.labels["task"] != "plays":
        return result.figure(f"{which}_accuracy")
    nats = result.figure(f"{which}_loss")
    return nats / math.log(2) / result.figure("bytes_per_token")


def shown(task: str, value: float) -> str:
    """Return a score as people read it."""
    return f"{value:.3f}" if task == "plays" else f"{100 * value:.1f} %"


def main(results: Results) -> str:
    """Return scores, the median over keys and all keys' range."""
    rows = [
        [
            WORDS[task],
            part,
            f"{found.items[0].line['summary']['dimension']:,}",
            *(_spread(found, task, which) for which in ("first", "test", "fedavg")),
            str(len(found)),
        ]
        for task, part, found in groups(results)
    ]
    heads = ["network, task", "trained part", "d", "before", "probes", "FedAvg", "keys"]
    return table(heads, rows)


def _spread(found: Results, task: str, which: str) -> str:
    values = [score(result, which) for result in found]
    middle = shown(task, statistics.median(values))
    if len(values) < 2 or which == "first":
        return middle
    return f"{middle} ({shown(task, min(values))} to {shown(task, max(values))})"


def costs(results: Results) -> str:
    """Return what both cost: evaluations, bytes a client sends a round, seconds."""
    heads = [
        *("network, task", "trained part", "probes: evaluations", "FedAvg: the same unit"),
        *("bytes up a round: probes", "FedAvg", "less by", "seconds: probes", "FedAvg"),
    ]
    return table(heads, [_cost(*group) for group in groups(results)])


def _cost(task: str, part: str, found: Results) -> list[str]:
    def middle(figure: Figure) -> float:
        return statistics.median(figure(result) for result in found)

    each = middle(lambda r: r.figure("bytes_up_per_report"))
    dense = 4 * middle(lambda r: r.figure("dimension"))
    return [
        WORDS[task],
        part,
        f"{middle(lambda r: r.figure('example_evaluations')):,.0f}",
        f"{PASSES * middle(lambda r: r.figure('fedavg_examples')):,.0f}",
        f"{each:,.0f}",
        f"{dense:,.0f}",
        f"{dense / each:.1f}",
        f"{middle(lambda r: r.figure('seconds')):.1f}",
        f"{middle(lambda r: r.figure('fedavg_seconds')):.1f}",
    ]


def starts(results: Results) -> str:
    """Return how good estimates of parts of the language model are at first."""
    return table(
        ["trained part", "d", "√(K/(K + d))", "cosine measured", "A's share of the estimate"],
        [_start(line) for line in start.lines()],
    )


def _start(line: Mapping[str, Any]) -> list[str]:
    d, k = int(line["runs"][0]["dimension"]), line["directions"]
    cosines = [run["cosine"] for run in line["runs"]]
    noise = statistics.median(run["down_of_estimate"] for run in line["runs"])
    return [
        line["part"],
        f"{d:,}",
        f"{math.sqrt(k / (k + d)):.3f}",
        f"{statistics.median(cosines):.3f} ({min(cosines):.3f} to {max(cosines):.3f})",
        f"{100 * noise:.0f} %",
    ]


def peaks(results: Results) -> str:
    """Return peak memory, in MiB above a process that only made network and batch."""
    heads = ["network", "trained part", "examples", *memory.WAYS]
    return table(heads, [_peak(line) for line in memory.lines()])


def _peak(line: Mapping[str, Any]) -> list[str]:
    peak = line["peak_mib"]
    more = [f"+ {peak[way] - peak[memory.WAYS[0]]:.0f}" for way in memory.WAYS[1:]]
    name = WORDS[line["task"]].split(" on ")[0]
    first = f"{peak[memory.WAYS[0]]:.0f}"
    return [name, line["part"], str(line["examples"]), first, *more]


def prefixes(results: Results) -> str:
    """Return evaluations a second of ResNet-20's head, and against plain inference."""
    if not prefix.FILE.exists():
        return "not measured"
    found = json.loads(prefix.FILE.read_text(encoding="utf-8"))
    plain = found["plain inference"]
    rows = [[way, f"{value:,.0f}", f"{value / plain:.2f}"] for way, value in found.items()]
    return table(["way", "evaluations a second", "of plain inference"], rows)
