"""The privacy budget stops a run, also after a restart and where rounds were pruned."""

import pytest

from baffle.config import resolve
from baffle.drivers.local.session import resume, start
from baffle.drivers.privacy import Budget
from baffle.ledger import Ledger
from baffle.privacy import PrivacySpec, epsilon
from tests.protections.test_table import BASE, task

PRIVATE = {
    "secure": {"sums": True, "simulate": "sum"},
    "privacy": {"unit": "client", "noise_multiplier": 4.0, "epsilon": 3.0},
    "rounds": 30,
}


def test_the_run_ends_before_the_budget_is_passed(tmp_path):
    session = start(resolve(BASE, PRIVATE), task(), tmp_path / "run")
    assert not session.run()
    session.close()
    rows = session.log.rows
    assert 2 < len(rows) < 30
    spent = [row["epsilon"] for row in rows]
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(epsilon(4.0, len(rows), 1e-5))
    assert spent[-1] <= 3.0 < epsilon(4.0, len(rows) + 1, 1e-5)
    again = resume(tmp_path / "run", lambda _: task())
    assert not again.run()
    again.close()
    assert len(again.log.rows) == len(rows)


def test_auto_noise_lets_all_rounds_just_fit(tmp_path):
    automatic = {"privacy": {"noise_multiplier": "auto"}, "rounds": 5}
    session = start(resolve(BASE, PRIVATE, automatic), task(), tmp_path / "run")
    assert session.run()
    session.close()
    assert 2.9 < session.log.rows[-1]["epsilon"] <= 3.0


def test_a_client_is_charged_for_its_own_rounds_alone(tmp_path):
    few = {"federation": {"participation": 0.25}, "secure": {"min_group": 3}}
    session = start(resolve(BASE, PRIVATE, few, {"rounds": 8}), task(), tmp_path / "run")
    session.run()
    session.close()
    most = max(session.budget._rounds.values())
    assert most < len(session.log.rows)
    assert session.log.rows[-1]["epsilon"] == pytest.approx(epsilon(4.0, most, 1e-5))


def test_rounds_of_which_nobody_knows_who_took_part_count_for_everyone():
    budget = Budget(PrivacySpec("client", 4.0, 1e-5, 4.0), limit=3.0)
    budget.before(5)
    budget.take([0])
    assert budget.spent == pytest.approx(epsilon(4.0, 6, 1e-5))
    alone = Budget(PrivacySpec("client", 4.0, 1e-5, 4.0), limit=epsilon(4.0, 6, 1e-5) + 1e-9)
    alone.before(5)
    assert alone.allows([7])
    alone.take([7])
    assert not alone.allows([7])
    assert alone.allows([8])


def test_without_a_promise_nothing_is_counted():
    budget = Budget(None, limit=1.0)
    budget.take([1, 2])
    assert budget.allows([1])
    assert budget.row() == {}
    assert budget.spent == 0.0


def test_pruned_rounds_are_charged_after_a_restart(tmp_path):
    session = start(resolve(BASE, PRIVATE, {"rounds": 4}), task(), tmp_path / "run")
    session.run()
    session.federation.ledger.prune(3)
    session.close()
    again = resume(tmp_path / "run", lambda _: task())
    again.close()
    spec = again.genesis.privacy
    recalled = Budget(spec, limit=3.0)
    with Ledger.open(tmp_path / "run") as ledger:
        assert ledger.first_round > 1
        recalled.recall(ledger)
    assert recalled.spent == again.budget.spent == pytest.approx(epsilon(4.0, 4, 1e-5))


@pytest.mark.parametrize("simulate", ["protocol", "sum"])
def test_who_has_no_finite_loss_still_answers_where_that_would_tell_of_its_data(tmp_path, simulate):
    own = task()
    own.train.parts[7].inputs.fill_(float("inf"))
    how = {"secure": {"simulate": simulate}, "rounds": 1}
    session = start(resolve(BASE, PRIVATE, how), own, tmp_path / "run")
    session.run()
    session.close()
    assert session.log.rows[0]["reports"] == 12
