"""Each baseline's arithmetic against a plain loop, a closed form, or another way to the same."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from baffle.baselines import Knobs
from baffle.baselines.draws import normals, on_sphere, signs
from baffle.baselines.es import EvolutionStrategies, centred_ranks
from baffle.baselines.fedavg import FedAvg
from baffle.baselines.fedavg_checkpointed import FedAvgCheckpointed
from baffle.baselines.fedsgd import FedSGD
from baffle.baselines.fedzo import FedZO
from baffle.baselines.forward_gradient import ForwardGradient
from baffle.baselines.problem import Problem
from baffle.baselines.reference import Reference, clipped
from baffle.baselines.server import Server, weighted_mean
from baffle.errors import ModelError
from baffle.models import build
from baffle.updates import UpdateSpec
from tests.baselines.small import batch, curved, problem, work

cross_entropy = nn.functional.cross_entropy


def plain_gradient(module, data):
    """Return the loss and its gradient as a torch user would find them."""
    module = copy.deepcopy(module)
    loss = cross_entropy(module(data[0]), data[1])
    loss.backward()
    return loss.item(), torch.cat([p.grad.reshape(-1) for p in module.parameters()])


def loss_at(module, vector, data):
    module = copy.deepcopy(module)
    nn.utils.vector_to_parameters(vector.clone(), module.parameters())
    with torch.no_grad():
        return float(cross_entropy(module(data[0]), data[1]))


def drawn(seed, count, dimension):
    """Return the directions of a generator in one piece."""
    blocks = normals(torch.Generator().manual_seed(seed), count, dimension)
    return torch.cat([block.clone() for block in blocks])


def test_fedsgd_sends_the_gradient():
    found = problem()
    loss, gradient = plain_gradient(curved(), batch())
    answer = FedSGD(Knobs()).client(found, work(found))
    assert answer.loss == pytest.approx(loss)
    assert torch.allclose(answer.vector, gradient, atol=1e-7)


def test_fedavg_is_sgd_by_a_plain_loop():
    found, module = problem(), curved()
    answer = FedAvg(Knobs(num_local_steps=4)).client(found, work(found, 0.3))
    before = nn.utils.parameters_to_vector(module.parameters()).detach().clone()
    for _ in range(4):
        module.zero_grad()
        cross_entropy(module(batch()[0]), batch()[1]).backward()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.sub_(0.3 * parameter.grad)
    after = nn.utils.parameters_to_vector(module.parameters()).detach()
    assert torch.allclose(answer.vector, after - before, atol=1e-6)


@pytest.mark.parametrize("model", ["mlp", "lenet5", "wrn"])
def test_checkpointed_fedavg_gives_the_bits_of_fedavg(model):
    module = build(model, (1, 32, 32), classes=2, seed=0)
    data = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    found = Problem(module, cross_entropy)
    assert found.pieces
    weights = found.joined({n: p.detach().numpy() for n, p in module.named_parameters()})
    whole = [
        made(Knobs()).gradient(found, weights, (data, torch.tensor([0, 1, 1])))
        for made in (FedAvg, FedAvgCheckpointed)
    ]
    assert whole[0][0] == whole[1][0]
    assert torch.equal(whole[0][1], whole[1][1])


def test_losses_at_many_weights_are_those_of_a_plain_loop():
    convolution = nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 2, 3), nn.Flatten())
    for module, mapped in ((curved(), True), (convolution, False)):
        found = problem(module)
        assert found._dense.mapped is mapped
        at = nn.utils.parameters_to_vector(module.parameters()).detach()
        moves = drawn(0, 9, found.dimension)
        losses = found.losses(at, moves, batch(), 0.25)
        expected = [loss_at(module, at + 0.25 * move, batch()) for move in moves]
        assert np.allclose(losses.numpy(), expected, atol=1e-6)


def test_fedzos_estimate_is_the_published_formula_by_a_plain_loop():
    found, module = problem(), curved()
    d, knobs = found.dimension, Knobs(num_directions=6, num_local_steps=2, radius=1e-2)
    answer = FedZO(knobs).client(found, work(found, 0.05))
    at = x = work(found).weights
    for step in range(2):
        estimate = torch.zeros(d, dtype=torch.float64)
        for z in drawn(step, 6, d):
            v = z / z.norm()
            assert float(v.norm()) == pytest.approx(1, abs=1e-6)
            difference = loss_at(module, x + 1e-2 * v, batch()) - loss_at(module, x, batch())
            estimate += d / (1e-2 * 6) * difference * v
        x = x - 0.05 * estimate.float()
    assert torch.allclose(answer.vector, x - at, atol=2e-5)


def test_fedzo_is_the_gradient_on_average():
    """A linear loss: E e = g, squared relative error (d - 1)/b2 for directions on the sphere."""
    found = problem()
    loss, gradient = plain_gradient(curved(), batch())
    knobs = Knobs(num_directions=4000, radius=1e-3)
    generator = torch.Generator().manual_seed(1)
    base, estimate = FedZO(knobs).estimate(found, work(found).weights, batch(), generator)
    error = float((estimate - gradient).norm() / gradient.norm())
    assert base == pytest.approx(loss)
    assert error == pytest.approx(np.sqrt((found.dimension - 1) / 4000), rel=0.5)


def test_forward_gradient_along_a_basis_is_the_gradient():
    found = problem()
    at, gradient = work(found).weights, plain_gradient(curved(), batch())[1]
    turned = torch.linalg.qr(drawn(0, found.dimension, found.dimension))[0]
    loss, derivatives = found.derivatives(at, turned, batch())
    assert loss == pytest.approx(plain_gradient(curved(), batch())[0])
    assert torch.allclose(derivatives @ turned, gradient, atol=1e-6)


@pytest.mark.parametrize("directions", ["gaussian", "rademacher"])
def test_forward_gradient_of_many_directions_comes_to_the_gradient(directions):
    found, count = problem(), 4000
    answer = ForwardGradient(Knobs(count, directions=directions)).client(found, work(found))
    gradient = plain_gradient(curved(), batch())[1]
    error = float((answer.vector - gradient).norm() / gradient.norm())
    d = found.dimension + (1 if directions == "gaussian" else -1)
    assert error == pytest.approx(np.sqrt(d / count), rel=0.5)


def test_centred_ranks_are_those_of_a_plain_loop():
    values = torch.tensor([0.3, -1.0, 7.0, 0.3, 2.0])
    expected = []
    for i, value in enumerate(values):
        below = sum(other < value or (other == value and j < i) for j, other in enumerate(values))
        expected.append(int(below) / 4 - 0.5)
    assert centred_ranks(values).tolist() == expected


def test_es_weighs_directions_by_the_ranks_of_their_losses():
    found, module, radius = problem(), curved(), 0.1
    answer = EvolutionStrategies(Knobs(5, radius=radius)).client(found, work(found))
    at, z = work(found).weights, drawn(0, 5, found.dimension)
    losses = [loss_at(module, at + s * radius * row, batch()) for s in (1, -1) for row in z]
    order = np.argsort(np.argsort(losses)) / 9 - 0.5
    expected = sum((order[k] - order[5 + k]) * z[k] for k in range(5)) / (2 * 5 * radius)
    assert torch.allclose(answer.vector, expected.float(), atol=1e-5)
    assert answer.floats_up == 10


def test_es_does_not_feel_the_scale_of_the_loss():
    """Ranks only: another unit of the loss is the same estimate."""
    made = EvolutionStrategies(Knobs(5, radius=0.1))
    plain = problem()
    scaled = Problem(curved(), lambda out, target: 50 * cross_entropy(out, target))
    first, second = (made.client(p, work(p)).vector for p in (plain, scaled))
    assert torch.equal(first, second)


def test_the_reference_is_clipped_to_entries_of_three_tenths():
    found, module, radius = problem(), curved(), 1e-3
    answer = Reference(Knobs(3, radius=radius)).client(found, work(found))
    at = work(found).weights
    total = torch.zeros(found.dimension)
    for z in drawn(0, 3, found.dimension):
        difference = loss_at(module, at + radius * z, batch()) - loss_at(module, at, batch())
        total += difference / radius * z / 3
    assert float(total.abs().max()) > 0.3  # else this test would show nothing
    assert float(answer.vector.abs().max()) == pytest.approx(0.3)
    assert torch.allclose(answer.vector, clipped(total), atol=2e-3)
    small = torch.tensor([0.1, -0.2])
    assert torch.equal(clipped(small), small)


def test_the_references_average_moves_once_an_epoch():
    spec = UpdateSpec("sgd", average=0.995)
    server = Server(spec, adds=False, average_every=2)
    state = server.start({"w": np.zeros(1, np.float32)})
    averages = []
    for _ in range(4):
        state = server.advance(state, {"w": np.float32([-1.0])}, 1.0)
        averages.append(float(state.served["w"][0]))
        if state.updates == 1:  # within the first epoch the weights themselves are shown
            assert float(server.served(state)["w"][0]) == 1
        else:
            assert server.served(state) is state.served
    first = 2 * (1 - 2 / 11)  # weights 2 after the first epoch, decay (1 + 1)/(10 + 1)
    second = first * 3 / 12 + 4 * 9 / 12
    assert averages == pytest.approx([0, first, first, second], rel=1e-6)


def test_the_mean_weighs_and_the_server_adds_changes():
    mean = weighted_mean([np.float32([0, 4]), np.float32([2, 0])], [3, 1])
    assert mean.tolist() == [0.5, 3.0]
    server = Server(UpdateSpec("sgd"), adds=True)
    state = server.start({"w": np.float32([1, 1])})
    assert server.advance(state, {"w": mean}, 99.0).weights["w"].tolist() == [1.5, 4.0]


def test_directions_do_not_depend_on_how_they_are_cut():
    whole = drawn(0, 700_000, 1)[:, 0]
    assert len(whole) == 700_000
    assert abs(float(whole.mean())) < 0.006
    assert float(whole.std()) == pytest.approx(1, abs=0.005)
    ones = torch.cat(list(signs(torch.Generator().manual_seed(0), 9, 100)))
    assert set(ones.unique().tolist()) == {-1.0, 1.0}
    assert torch.allclose(on_sphere(torch.ones(2, 4)), torch.full((2, 4), 0.5))


def test_what_is_not_float32_is_refused_by_name():
    with pytest.raises(ModelError, match="float32"):
        Problem(nn.Linear(2, 2).double(), cross_entropy)
