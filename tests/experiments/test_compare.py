"""The study of `baffle compare`: its page says what its results say, and its verdicts are right."""

import json

import pytest

from experiments.compare import page
from experiments.compare.command import main
from experiments.compare.tasks import CONTENDERS, OURS, TASKS, folder_name
from experiments.harness.statistics import Interval
from tests.compare.lines import worked
from tests.compare.made import carried_out

TASK = "digits, IID"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which one task is done; ours are 0.1 and 0.2 above all others."""
    made = tmp_path_factory.mktemp("study")
    better = dict(zip(CONTENDERS, (0.8, 0.9), strict=False))
    lines, _ = carried_out(
        TASKS[TASK],
        lambda cell: worked(
            cell, better.get(cell.contender, 0.7) + 0.001 * cell.about.get("key", 0), each=10_000
        ),
    )
    place = made / "results" / folder_name(TASK)
    place.mkdir(parents=True)
    (place / "results.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines.values()))
    (made / "README.md").write_text((page.HERE / "README.md").read_text())
    page.fill(made)
    return made


def test_the_studys_page_says_what_its_results_say():
    assert main(["--check"]) == 0


def test_the_page_ranks_ours_against_the_best_other(folder):
    text = (folder / "README.md").read_text()
    assert "| digits, IID | 80.1 (80.0–80.2) | 90.1 (90.0–90.2) | 70.1" in text
    assert "+10.00 ± 0.00 | better | +20.00 ± 0.00 | better |" in text
    assert "| MNIST, IID | – |" in text
    assert (folder / "compare.png").stat().st_size > 10_000
    assert main(["--check", "--folder", str(folder)]) == 0
    (folder / "README.md").write_text(text.replace("80.1", "99.9"))
    assert main(["--check", "--folder", str(folder)]) == 1


def test_a_difference_counts_only_beyond_its_interval():
    assert page.judged(Interval(-0.02, 0.01)) == "**worse**"
    assert page.judged(Interval(0.02, 0.05)) == "within noise"
    assert page.judged(Interval(0.02, float("nan"))) == "within noise"


def test_all_tasks_have_the_same_contenders_keys_and_tuning():
    assert len({folder_name(task) for task in TASKS}) == len(TASKS) == 6
    for comparison in TASKS.values():
        assert [c.name for c in comparison.contenders] == list(CONTENDERS)
        assert (len(comparison.keys), comparison.trials) == (3, 5)
    assert set(OURS) < set(CONTENDERS)
