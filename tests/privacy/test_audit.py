"""The audit: its bounds are right, it never passes the promise, and it finds missing noise."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from baffle.privacy import noise_multiplier_for
from experiments.privacy_audit import command, page
from experiments.privacy_audit.bounds import audited, clopper_pearson, gaussian_epsilon
from experiments.privacy_audit.cells import CELLS, DELTA, Cell

SMALL = 2**15


@pytest.mark.parametrize("cell", [Cell("client", 1, None, 4.0), Cell("example", 2, 0.25, 4.0)])
def test_a_small_audit_proves_something_and_no_more_than_was_promised(cell):
    found = command.audit(cell, SMALL)["summary"]
    assert 0.2 * found["claimed"] < found["proven"] < found["claimed"]
    if cell.sampling is None:
        assert 0.8 * found["claimed"] < found["proven_gaussian"] < found["claimed"]


def test_members_without_noise_are_found_out():
    found = command.audit(Cell("client", 1, None, 1.0, shares=1), 2**17)["summary"]
    assert found["proven_gaussian"] > 1.3 * found["claimed"]
    less = command.audit(Cell("client", 1, None, 4.0), 2**15)["summary"]
    more = command.audit(Cell("client", 1, None, 4.0, shares=1), 2**15)["summary"]
    assert more["proven"] > 1.3 * less["proven"]


def test_bounds_on_a_rate_are_those_of_clopper_and_pearson():
    for count, trials in ((0, 20), (3, 20), (20, 20), (999, 5000)):
        known = stats.binomtest(count, trials).proportion_ci(0.95, method="exact")
        assert clopper_pearson(count, trials) == pytest.approx((known.low, known.high))


def test_scores_that_tell_nothing_prove_nothing():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 40_000))
    general, gaussian = audited(one, other, 1e-5)
    assert general < 0.1
    assert gaussian < 0.2


@pytest.mark.parametrize("sign", [1, -1])
def test_an_event_on_either_side_is_used(sign):
    rng = np.random.default_rng(1)
    wide, narrow = rng.normal(size=40_000), rng.uniform(-1, 1, 40_000)
    pair = (wide, narrow) if sign > 0 else (narrow, wide)
    assert audited(*pair, 1e-5)[0] > 3  # the wide one goes where the narrow one never does


def test_a_gaussian_of_known_mu():
    # Closed form: δ(ε) = Φ(μ/2 - ε/μ) - e^ε Φ(-μ/2 - ε/μ).
    for mu in (0.1, 1.0, 3.0):
        e = gaussian_epsilon(mu, 1e-5)
        delta = stats.norm.cdf(mu / 2 - e / mu) - np.exp(e) * stats.norm.cdf(-mu / 2 - e / mu)
        assert delta == pytest.approx(1e-5, rel=1e-6)
    assert gaussian_epsilon(1 / noise_multiplier_for(2.0, DELTA, 1), DELTA) < 2.0


def test_a_second_run_does_nothing_and_the_first_is_kept(tmp_path, monkeypatch, capsys):
    cells = [replace(CELLS[0], target=t) for t in (4.0, 2.0)]
    monkeypatch.setattr(command, "CELLS", cells)
    monkeypatch.setattr(page, "CELLS", cells)
    monkeypatch.setattr(Cell, "trials", property(lambda self: 2**13))
    (tmp_path / "README.md").write_text("before\n<!-- audit -->\n<!-- end -->\nafter\n")
    assert command.main(["--folder", str(tmp_path)]) == 0
    stored = (tmp_path / "results.jsonl").read_text()
    assert len(stored.splitlines()) == 2
    # As if killed after the first cell: the second is made again, alike but for the time.
    (tmp_path / "results.jsonl").write_text(stored.splitlines()[0] + "\n")
    assert command.main(["--folder", str(tmp_path)]) == 0
    again = [json.loads(text) for text in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["summary"] for line in again] == [
        json.loads(text)["summary"] for text in stored.splitlines()
    ]
    assert command.main(["--folder", str(tmp_path), "--list"]) == 0
    assert "missing" not in capsys.readouterr().out
    assert command.main(["--folder", str(tmp_path), "--check"]) == 0
    shown = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text(shown.replace("| client |", "| nobody |", 1))
    assert command.main(["--folder", str(tmp_path), "--check"]) == 1


def test_the_committed_table_is_made_of_committed_results():
    assert command.main(["--check"]) == 0
    lines = command.read_lines(page.HERE)
    assert {line["cell"] for line in lines} == {cell.id for cell in CELLS}
    assert all(command._sound(line) for line in lines)
