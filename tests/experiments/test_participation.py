"""Runs of the study of participation cost what its page says."""

from __future__ import annotations

from experiments.harness.results import results_of
from experiments.harness.study import load
from experiments.participation.design import BLOCKS, EVALUATIONS


def test_runs_at_equal_evaluations_cost_the_budget_to_within_half_a_round() -> None:
    found = results_of(load("participation")).select(what=EVALUATIONS)
    assert len(found)
    budgets = {block.data: block.budget for block in BLOCKS}
    for result in found:
        done, rounds = result.figure("example_evaluations"), result.figure("rounds")
        budget = budgets[str(result.cell.labels["data"])]
        assert abs(done - budget) <= done / rounds / 2
