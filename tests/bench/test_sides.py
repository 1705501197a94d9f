"""Each side does what it says, on as many rows as it says."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from baffle.backends.torch import loading
from baffle.bench.sides import SIDES, Setting, case_of, training
from baffle.bench.sides import probes as probes_file
from baffle.bench.sides.inference import Inference
from baffle.bench.sides.perturbed import RandnLoop, Vmap
from baffle.bench.sides.probes import Probes
from baffle.bench.sides.training import Training
from baffle.bench.sides.work import SIGMA
from tests.bench.tiny import subject

B, K = 3, 5


@pytest.fixture
def case():
    return case_of(subject(), B, K, "cpu")


def counted(module):
    rows = []
    module.register_forward_hook(lambda m, args, out: rows.append(len(args[0])))
    return rows


@pytest.mark.parametrize("chunk", [1, 2, 4, 8, 15])
def test_inference_takes_every_row_once(case, chunk):
    rows = counted(case.module)
    work = Inference(case).work(Setting(chunk, 1), K * B)
    work.run()
    assert work.rows == sum(rows) == K * B
    assert max(rows) == chunk


@pytest.mark.parametrize("name", SIDES)
@pytest.mark.parametrize("most", [1, 7, K * B, 1000])
def test_no_side_takes_more_than_all_rows_or_less_than_a_chunk(case, name, most):
    side = SIDES[name](case)
    for chunk in side.chunks():
        work = side.work(Setting(chunk, 1), most)
        assert min(chunk, 1) * side.unit <= work.rows <= K * B
        work.run()


@pytest.mark.parametrize("name", ["randn_loop", "backward", "backward_at_batch", "checkpointed"])
def test_sides_with_their_own_module_evaluate_the_rows_they_claim(case, name):
    side = SIDES[name](case)
    rows = counted(side.module)
    work = side.work(Setting(side.chunks()[0], 1), K * B)
    work.run()
    assert sum(rows) == work.rows == K * B


def test_the_randn_loop_evaluates_at_the_perturbed_weights_and_goes_back(case):
    side = RandnLoop(case)
    before = [p.clone() for p in side.module.parameters()]
    found = side.one(seed=3)
    after = list(side.module.parameters())
    generator = torch.Generator().manual_seed(3)
    moved = {
        name: p + SIGMA * torch.randn(p.shape, generator=generator)
        for name, p in case.module.named_parameters()
    }
    inputs, targets = case.batch
    output = torch.func.functional_call(case.module, moved, (inputs,))
    assert torch.allclose(found, cross_entropy(output, targets))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(before, after, strict=True))


def test_vmap_evaluates_one_loss_a_copy(case):
    side = Vmap(case)
    side.generator.manual_seed(1)
    found = side.one(4)
    side.generator.manual_seed(1)
    moved = {name: side.copies_of(p, 4) for name, p in side.parameters.items()}
    inputs, targets = case.batch
    for k in range(4):
        weights = {name: w[k] for name, w in moved.items()}
        output = torch.func.functional_call(case.module, weights, (inputs,))
        assert torch.allclose(found[k], cross_entropy(output, targets))


def test_a_training_step_moves_the_weights_of_its_own_module_alone(case, monkeypatch):
    monkeypatch.setattr(training, "STEP_SIZE", 0.1)
    side = Training(case)
    before = [p.clone() for p in case.module.parameters()]
    side.work(Setting(B, 1), B).run()
    own = list(side.module.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, case.module.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(before, own, strict=True))


@pytest.mark.parametrize(("shared", "distinct"), [(False, 4), (True, 1)])
def test_probes_draw_anew_unless_shared_and_load_once(case, monkeypatch, shared, distinct):
    rounds, loads = [], []
    made, load = probes_file.points_of, loading.load_weights
    monkeypatch.setattr(
        probes_file, "points_of", lambda p, n, round: rounds.append(round) or made(p, n, round)
    )
    monkeypatch.setattr(loading, "load_weights", lambda m, w: loads.append(1) or load(m, w))
    side = Probes(case, shared)
    work = side.work(Setting(0, 1), K * B)
    for _ in range(3):
        work.run()
    assert len(rounds) == 4
    assert len(set(rounds)) == distinct
    assert len(loads) == 1
    assert next(iter(side.taken.values())) == "rank_one"
