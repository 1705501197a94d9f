"""A secure round comes to the outcome of the same round in the clear, drop-outs and all."""

import dataclasses

import numpy as np
import pytest

from baffle.config import resolve
from baffle.drivers.local.clear import InTheClear
from baffle.drivers.local.faults import Faults
from baffle.drivers.local.secure import SecureSums
from baffle.drivers.local.session import resume, start
from baffle.ledger import Ledger
from baffle.ledger.replay import decode_row
from baffle.privacy import epsilon
from baffle.protocol import encode_outcome
from baffle.protocol.participants import decode_participants
from baffle.secagg import Lanes
from tests.protections.test_table import BASE, task

SECURE = {"secure": {"sums": True}}
KINDS = {
    "one": {},
    "own groups": {"groups": {"number": 3}},
    "shared groups": {"groups": {"number": 3, "directions": "shared"}},
    "weights": {"federation": {"weighting": "examples", "weight_cap": 5}},
    "local steps": {"probe": {"num_local_steps": 3}},
    "one bit": {"quantisation": {"bits": 1}},
    "measured": {"probe": {"radii": "by_tensor", "split": "measured"}},
    "candidates": {"probe": {"batch": 2, "candidates": 8}},
    "24 bits": {"quantisation": {"bits": 24}},
}


def outcomes(folder):
    with Ledger.open(folder) as ledger:
        return [(row.outcome, row.participants) for row in ledger.rows()]


def finish(session):
    try:
        session.run()
    finally:
        session.close()
    return outcomes(session.folder)


def three_ways(begun):
    """Return a run by every message, by its sums alone, and in the clear, from name to session."""
    masked, outright, clear = (begun(name) for name in ("masked", "outright", "clear"))
    sums = outright.federation.collecting
    outright.federation.collecting = dataclasses.replace(sums, whole=False)
    in_the_clear(clear)
    return masked, outright, clear


def in_the_clear(session):
    sums = session.federation.collecting
    session.federation.collecting = InTheClear(sums.answers, sums.traffic)
    session.federation.server.sums_only = False


@pytest.mark.parametrize("kind", KINDS)
def test_masked_outright_and_clear_rounds_have_one_outcome(kind, tmp_path):
    """The run is the same one, down to its number: only the way of the reports differs."""

    def begun(name):
        settings = resolve(BASE, SECURE, KINDS[kind])
        return start(settings, task(), tmp_path / name)

    masked, outright, clear = three_ways(begun)
    found = finish(masked)
    assert isinstance(masked.federation.collecting, SecureSums)
    assert finish(outright) == found
    assert finish(clear) == found


def session_with(tmp_path, lost, sections):
    """A run in which these clients fall silent: number to stage."""
    session = start(resolve(BASE, SECURE, sections), task(), tmp_path / "run")
    session.federation.faults = Silent(lost)
    session.federation.collecting = Staged(lost, session.federation.collecting)
    return session


class Silent(Faults):
    def __init__(self, lost):
        super().__init__(0)
        object.__setattr__(self, "lost", lost)

    def split(self, round, cohort):
        return np.array([n for n in cohort.tolist() if n not in self.lost]), cohort[:0]


class Staged:
    """Gives the stage at which each silent client falls silent by hand."""

    def __init__(self, lost, sums):
        self.lost, self.sums = lost, sums

    def collect(self, server, asked):
        from baffle.drivers.local import secure

        stages, original = self.lost, secure._GroupSum._stages
        secure._GroupSum._stages = lambda group: {
            n: stages[n] for n in group._members if n in stages
        }
        try:
            return self.sums.collect(server, asked)
        finally:
            secure._GroupSum._stages = original


ONE_EACH = {"secure": {"dropout": 0.3}}


@pytest.mark.parametrize("lost", [{3: "share"}, {3: "mask"}, {3: "unmask"}, {1: "share", 5: "mask"},
                                  {1: "mask", 5: "unmask"}, {0: "share", 4: "mask", 11: "unmask"}],
                         ids=str)  # fmt: skip
def test_the_sum_is_that_of_those_whose_vectors_came(lost, tmp_path):
    session = session_with(tmp_path, lost, ONE_EACH)
    ((outcome, participants), *_) = finish(session)
    whose = {n for n in range(12) if lost.get(n, "unmask") == "unmask"}
    with Ledger.open(tmp_path / "run") as ledger:
        row = next(iter(ledger.rows()))
        found = decode_row(row).outcome
    assert found.reports == len(whose)
    clear = start(resolve(BASE, SECURE, ONE_EACH), task(), tmp_path / "clear")
    in_the_clear(clear)
    clear.federation.faults = Silent(set(range(12)) - whose)
    assert finish(clear)[0] == (outcome, participants)
    assert encode_outcome(found) == outcome


def test_too_many_drop_outs_reveal_nothing_and_the_run_goes_on(tmp_path):
    lost = dict.fromkeys((1, 2, 3, 4, 5), "mask")
    session = session_with(tmp_path, lost, ONE_EACH)
    finish(session)
    assert [row["abandoned"] for row in session.log.rows] == [True, True]
    assert session.log.rows[-1]["smallest_sum"] == 0
    assert session.state.updates == 0


def test_who_has_no_finite_loss_is_left_out_as_in_the_clear(tmp_path):
    """One client's examples are infinite, so none of its losses is finite."""
    own = task()
    own.train.parts[7].inputs.fill_(float("inf"))

    def begun(name):
        return start(resolve(BASE, SECURE, ONE_EACH), own, tmp_path / name)

    masked, outright, clear = three_ways(begun)
    found = finish(masked)
    assert masked.log.rows[0]["reports"] == 11
    assert finish(outright) == found
    assert finish(clear) == found


def test_a_sum_that_was_opened_and_came_to_nothing_is_still_charged(tmp_path, monkeypatch):
    """One member puts more into its lanes than fits; the server has seen the others' sum."""
    seen = []
    private = {"privacy": {"unit": "client", "noise_multiplier": 1.0, "epsilon": 1000.0}}
    from baffle.drivers.local import secure

    honest = secure.mask

    def too_much(wallet, ask, plan, lanes, vector):
        if not seen:
            vector = vector + 12 * lanes.blocks[0].bound
        seen.append(True)
        return honest(wallet, ask, plan, Unchecked(lanes.blocks), vector)

    class Unchecked(Lanes):
        def check(self, vector, parts=1):
            pass

    session = start(resolve(BASE, SECURE, private), task(), tmp_path / "run")
    monkeypatch.setattr(secure, "mask", too_much)
    for _ in session.federation.rounds(2):
        seen.clear()
    session.close()
    with Ledger.open(tmp_path / "run") as ledger:
        stored = list(ledger.rows())
    outcomes_ = [decode_row(row).outcome for row in stored]
    assert all(outcome.abandoned and not outcome.reports for outcome in outcomes_)
    assert all(decode_participants(row.participants) == tuple(range(12)) for row in stored)
    again = resume(tmp_path / "run", lambda _: task())
    again.close()
    assert again.budget.spent == pytest.approx(epsilon(1.0, 2, 1e-5))


def test_outright_and_by_messages_agree_on_which_rounds_come_to_a_sum(tmp_path):
    faults = {"federation": {"dropout": 0.18, "slow": 0.04}, "rounds": 12}

    def begun(name):
        return start(resolve(BASE, SECURE, faults), task(), tmp_path / name)

    masked, outright = begun("masked"), begun("outright")
    outright.federation.collecting = dataclasses.replace(
        outright.federation.collecting, whole=False
    )
    found = finish(masked)
    assert finish(outright) == found
    counts = {row["smallest_sum"] for row in masked.log.rows}
    assert 0 in counts
    assert len(counts) > 1
