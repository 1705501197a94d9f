"""What each form came to, beside the float model of the same study, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from experiments.harness import Results, table
from experiments.harness.tables import points

WORDS = {
    "digits": "digits, perceptron",
    "mnist": "MNIST, LeNet-5",
    "cifar": "CIFAR-10, ResNet-20's last third",
}
FLOAT = "float"


def groups(results: Results) -> Iterator[tuple[str, str, Results]]:
    """Yield task, form and their results, in the study's order."""
    names = dict.fromkeys((r.cell.labels["task"], r.cell.labels["form"]) for r in results)
    for task in WORDS:
        for _, form in [name for name in names if name[0] == task]:
            yield task, str(form), results.select(task=task, form=form)


def middle(found: Results, name: str) -> float:
    """Return a figure's median over keys."""
    return statistics.median(found.figures(name))


def main(results: Results) -> str:
    """Return accuracies before, after compression and after training, medians over keys."""
    heads = [
        *("task", "form", "trained weights", "of them zero", "before"),
        *("compressed", "trained", "minus float's, points", "states whole", "keys"),
    ]
    return table(heads, [_row(results, *group) for group in groups(results)])


def _row(results: Results, task: str, form: str, found: Results) -> list[str]:
    zeros, all_ = middle(found, "zeros"), middle(found, "trained")
    against = results.select(task=task).paired("test_accuracy", "form", form, base=FLOAT)
    return [
        WORDS[task],
        form,
        f"{all_:,.0f}",
        f"{100 * zeros / all_:.0f} %",
        f"{100 * middle(found, 'before_accuracy'):.1f} %",
        f"{100 * middle(found, 'compressed_accuracy'):.1f} %",
        _spread(found),
        points(statistics.median(against)) if against and form != FLOAT else "",
        f"{sum(found.figures('states_whole')):.0f}",
        str(len(found)),
    ]


def _spread(found: Results) -> str:
    values = [100 * value for value in found.figures("test_accuracy")]
    text = f"{statistics.median(values):.1f} %"
    many = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return text + many


def costs(results: Results) -> str:
    """Return what a run of each form takes."""
    heads = ["task", "form", "rounds", "evaluations", "step size", "bytes up a report", "seconds"]
    return table(heads, [_cost(*group) for group in groups(results)])


def _cost(task: str, form: str, found: Results) -> list[str]:
    settings = found.items[0].cell.settings
    return [
        WORDS[task],
        form,
        str(settings["rounds"]),
        f"{middle(found, 'example_evaluations'):,.0f}",
        f"{settings['update']['step_size']:.2g}",
        f"{middle(found, 'bytes_up_per_report'):,.0f}",
        f"{middle(found, 'seconds'):.0f}",
    ]
