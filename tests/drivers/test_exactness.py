"""The same configuration gives the same ledger; the same ledger gives the same weights."""

import numpy as np
import pytest
import torch

from baffle.backends.torch.ops import TorchOps
from baffle.config import load_config, resolve
from baffle.drivers.local.session import resume, start
from baffle.drivers.local.task import task_of
from baffle.errors import LedgerError
from baffle.ledger import Ledger
from baffle.ledger.replay import replay, states
from baffle.protocol import decode_plan
from baffle.updates import NUMPY
from tests.drivers.small import FULL, begin, digests, finished


@pytest.mark.parametrize("sections", [{}, FULL], ids=["plain", "full"])
def test_a_run_repeats_and_its_own_configuration_repeats_it(tmp_path, sections):
    first = finished(tmp_path / "a", sections)
    assert finished(tmp_path / "b", sections) == first
    settings = resolve(load_config(tmp_path / "a" / "config.toml"))
    session = start(settings, task_of(settings), tmp_path / "c")
    session.run()
    session.close()
    assert digests(tmp_path / "c") == first
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("ops", [NUMPY, TorchOps()], ids=["numpy", "torch"])
def test_replay_gives_the_live_bits_at_every_round(tmp_path, ops):
    """H = 4, L2 and decoupled decay, cosine schedule, Adam, EMA; any thread count."""
    live = finished(tmp_path, FULL)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        with Ledger.open(tmp_path) as ledger:
            assert [s.state.digest() for s in states(ledger, since=0, ops=ops)][1:] == live
            for round_ in range(1, 9):
                assert replay(ledger, round_, ops).state.digest() == live[round_ - 1]
    finally:
        torch.set_num_threads(threads)


RADII = {
    "rounds": 6,
    "probe": {"radii": "by_tensor", "num_directions": 512},
    "groups": {"number": 2},
}


def test_radii_by_tensor_resume_anywhere_and_replay_on_either_library(tmp_path):
    live = finished(tmp_path / "whole", RADII)
    begin(tmp_path / "broken", RADII).close()
    for until in (1, 6):
        part = resume(tmp_path / "broken", task_of)
        part.run(stop=lambda part=part, until=until: part.state.round >= until)
        part.close()
    assert digests(tmp_path / "broken") == live
    with Ledger.open(tmp_path / "whole") as ledger:
        assert any(decode_plan(row.plan).scale_exponents for row in ledger.rows())
        for ops in (NUMPY, TorchOps()):
            assert [s.state.digest() for s in states(ledger, since=0, ops=ops)][1:] == live


def test_replay_after_pruning_behind_a_snapshot(tmp_path):
    live = finished(tmp_path, FULL)
    with Ledger.open(tmp_path, write=True) as ledger:
        ledger.prune(3)
        assert replay(ledger, 8).state.digest() == live[7]
        with pytest.raises(LedgerError):
            replay(ledger, 2)


@pytest.mark.parametrize("kind", ["rank_one", "rademacher", "gaussian", "masked"])
def test_the_direction_of_the_update_is_the_one_probed(tmp_path, kind):
    """Plain SGD, one round: the move is the sum of the report's integers times its directions."""
    session = begin(
        tmp_path,
        {
            "rounds": 1,
            "probe": {"directions": kind},
            "update": {"optimiser": "sgd", "normalised": False, "average": 0.0},
        },
    )
    before = session.state.numpy()["weights"]
    session.run()
    session.close()
    after = session.state.numpy()["weights"]
    last = session.federation.server.last
    plan, outcome = last.plan, last.outcome
    signature = session.federation.server.rules.signature
    scale = 2.0 ** (plan.step_exponent + plan.kind.unit_exponent)
    from baffle.directions import Place

    for number, tensor in signature.trained:
        z = plan.kind.draw(
            Place(plan.key, 0).stream(number),
            np.arange(plan.num_directions, dtype=np.uint32),
            tensor,
            before,
        ).dense()
        estimate = np.tensordot(outcome.values.astype(float), z.astype(float), 1)
        estimate *= scale / (plan.num_directions * outcome.weight)
        moved = after[tensor.name] - before[tensor.name]
        assert moved == pytest.approx(-plan.step_size * estimate, abs=2e-7)


def test_zeros_of_a_pruned_model_stay_zero_through_a_run(tmp_path):
    settings = resolve({"probe": {"directions": "masked"}})
    session = begin(tmp_path / "a", {"probe": {"directions": "masked"}})
    session.close()
    task = session.task
    with torch.no_grad():
        weight = next(p for n, p in task.model.named_parameters() if n == "linear1.weight")
        weight[:, ::2] = 0
    again = start(session.settings, task, tmp_path / "b")
    again.run()
    again.close()
    trained = again.state.numpy()["weights"]["linear1.weight"]
    assert (trained[:, ::2] == 0).all()
    assert (trained[:, 1::2] != 0).all()
    assert settings.probe.directions == "masked"
