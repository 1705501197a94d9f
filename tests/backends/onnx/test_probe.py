"""An exported model's losses against the slow truth, on shapes that a graph was not made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.onnx import ArrayExamples, Manifest, OnnxProbe, moved
from baffle.backends.onnx.moved import moved_weights
from baffle.backends.onnx.sessions import Sessions
from baffle.backends.torch import TorchProbe, evaluate, initial_weights
from baffle.backends.torch.materialise import perturbed_weights
from baffle.directions import (
    KINDS,
    ModelSignature,
    Place,
    Points,
    TensorSpec,
    make_kind,
)
from baffle.drivers.export import export
from baffle.drivers.export.verify import verified
from baffle.drivers.local.task import TensorExamples
from baffle.errors import DataError, ModelError, ProbeError
from tests.backends.onnx.conftest import (
    EXAMPLES,
    copied,
    small_convolutions,
    small_perceptron,
    some_examples,
)

CASES = {
    "perceptron": (small_perceptron, (5,)),
    "convolutions": (small_convolutions, (2, 6, 6)),
}
WITHIN = 1e-5  # of 1 + |loss|: float32 sums in another order


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    make, shape = CASES[request.param]
    folder = copied(request.getfixturevalue(request.param), tmp_path / "own")
    module, (x, y) = make(), some_examples(*shape)
    manifest = Manifest.read(folder)
    examples = ArrayExamples({"input": x.numpy(), "target": y.numpy()})
    fast = OnnxProbe(Sessions(folder, manifest), examples)
    slow = TorchProbe(module, nn.functional.cross_entropy, TensorExamples(x, y), route="one_by_one")
    return module, fast, slow


def points(probe: OnnxProbe, count: int, exponent: int = -3, kind: str = "rank_one") -> Points:
    signs = np.resize(np.array([1, -1, 0], dtype=np.int8), count)
    trained = len(probe.manifest.signature.trained)
    exponents = tuple(exponent - i % 2 for i in range(trained))
    directions = np.arange(count, dtype=np.uint32)
    return Points(Place(5, 2), make_kind(kind, 5), exponents, directions, signs)


def close(found, known):
    assert found.shape == known.shape
    assert (np.abs(found - known) <= WITHIN * (1 + np.abs(known))).all()


@pytest.mark.parametrize(("count", "batch"), [(1, 1), (3, 4), (4, 3), (9, 11), (13, 2)])
def test_losses_are_those_of_the_slow_truth(case, count, batch):
    module, fast, slow = case
    weights, asked = initial_weights(module), points(fast, count)
    numbers = np.arange(batch)[::-1].copy()
    close(fast(weights, asked, numbers), slow(weights, asked, numbers))


def test_each_example_has_its_own_loss(case):
    module, fast, slow = case
    weights, asked, numbers = initial_weights(module), points(fast, 5), np.array([3, 0, 7])
    close(fast.each(weights, asked, numbers), slow.each(weights, asked, numbers))


def test_the_unperturbed_point_alone_goes_through_the_plain_graph(case):
    module, fast, slow = case
    asked = points(fast, 3).part(2, 3)
    assert not asked.signs.any()
    weights, numbers = initial_weights(module), np.arange(7)
    close(fast.each(weights, asked, numbers), slow.each(weights, asked, numbers))
    assert fast.manifest.plain.file in fast.sessions._open


def test_new_weights_are_used_from_the_next_call_on(case):
    module, fast, slow = case
    asked, numbers = points(fast, 4), np.arange(4)
    weights = initial_weights(module)
    before = fast(weights, asked, numbers)
    moved = {name: (w + 0.1).astype(np.float32) for name, w in weights.items()}
    after = fast(moved, asked, numbers)
    close(after, slow(moved, asked, numbers))
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(fast(weights, asked, numbers), before)


def test_probing_writes_to_no_array_of_the_caller(case):
    module, fast, _ = case
    weights = initial_weights(module)
    kept = {name: w.tobytes() for name, w in weights.items()}
    for array in weights.values():
        array.flags.writeable = False
    fast(weights, points(fast, 4), np.arange(4))
    assert {name: w.tobytes() for name, w in weights.items()} == kept


def test_evaluation_is_torchs(case):
    module, fast, slow = case
    weights = initial_weights(module)
    loss, accuracy = evaluate(module, weights, slow.examples, nn.functional.cross_entropy)
    found = fast.evaluate(weights)
    assert found.loss == pytest.approx(loss, abs=WITHIN)
    assert found.right == round(accuracy * found.examples)
    assert found.examples == len(slow.examples)


@pytest.mark.slow
def test_any_exported_pass_says_the_same(tmp_path):
    x, y = some_examples(5)
    export(small_perceptron(), nn.functional.cross_entropy, (x, y), tmp_path / "own", (4, 2), 4)
    examples = ArrayExamples({"input": x.numpy(), "target": y.numpy()})
    sessions = Sessions(tmp_path / "own", Manifest.read(tmp_path / "own"))
    weights = initial_weights(small_perceptron())
    each = [OnnxProbe(sessions, examples, p) for p in (4, 2)]
    asked, numbers = points(each[0], 7), np.arange(5)
    close(each[0](weights, asked, numbers), each[1](weights, asked, numbers))


def test_a_pass_that_was_not_exported_is_refused(perceptron):
    x, y = some_examples(5)
    examples = ArrayExamples({"input": x.numpy(), "target": y.numpy()})
    with pytest.raises(ProbeError, match=r"expected a pass of \[4\] points, got 3"):
        OnnxProbe(Sessions(perceptron, Manifest.read(perceptron)), examples, 3)


def test_no_points_and_no_examples(case):
    module, fast, _ = case
    weights = initial_weights(module)
    assert fast(weights, points(fast, 0), np.arange(3)).shape == (0,)
    with pytest.raises(ProbeError, match="at least one example"):
        fast(weights, points(fast, 2), np.arange(0))


DENSE = tuple(name for name in KINDS if name != "rank_one")


def pruned(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the module's weights with every second entry of its matrices and kernels at zero."""
    weights = initial_weights(module)
    for array in weights.values():
        if array.ndim >= 2:
            array.reshape(-1)[::2] = 0
    return weights


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize(("count", "batch"), [(1, 1), (3, 4), (7, 11)])
def test_directions_of_any_kind_say_what_the_slow_truth_says(case, kind, count, batch):
    module, fast, slow = case
    weights, asked = pruned(module), points(fast, count, kind=kind)
    numbers = np.arange(batch)[::-1].copy()
    found = fast.each(weights, asked, numbers)
    close(found, slow.each(weights, asked, numbers))
    assert count == 1 or not np.allclose(found[:, 0], found[:, 1])


@pytest.mark.parametrize("copies", [1, 2, 100])
@pytest.mark.parametrize("kind", [*DENSE, "masked to a half"])
def test_moved_weights_are_torchs_bit_for_bit(case, kind, copies, monkeypatch):
    module, fast, _ = case
    monkeypatch.setattr(moved, "AT_ONCE", copies * fast.manifest.signature.dimension)
    signature, weights = fast.manifest.signature, pruned(module)
    asked = points(fast, 7, kind="masked" if " " in kind else kind)
    if " " in kind:
        asked = replace(asked, kind=make_kind("masked", 5, 0.5))
    parameters = {name: torch.from_numpy(weights[name]) for name in weights}
    known = perturbed_weights(parameters, signature, asked, weights)
    for place, at in enumerate(moved_weights(weights, signature, asked)):
        for name, array in at.items():
            assert array.tobytes() == known[name][place].numpy().tobytes()


class Stored(Mapping):
    """Weights that stay in a file: each look is a read, of a fresh array."""

    def __init__(self, weights):
        self.weights, self.reads = weights, 0

    def __getitem__(self, name):
        self.reads += 1
        return self.weights[name].copy()

    def __iter__(self):
        return iter(self.weights)

    def __len__(self):
        return len(self.weights)


def test_weights_that_lie_on_disk_are_read_once_a_draw(case):
    module, fast, _ = case
    weights, asked = pruned(module), points(fast, 5, kind="masked")
    stored = Stored(weights)
    np.testing.assert_array_equal(
        fast(stored, asked, np.arange(3)), fast(weights, asked, np.arange(3))
    )
    assert stored.reads == 2 * len(weights)  # shapes are compared, and one draw for all points


def test_a_masked_direction_moves_no_zero_of_a_pruned_tensor(case):
    module, fast, _ = case
    weights, asked = pruned(module), points(fast, 2, kind="masked")
    for at in moved_weights(weights, fast.manifest.signature, asked):
        for name, array in at.items():
            if array.ndim >= 2:
                np.testing.assert_array_equal(array == 0, weights[name] == 0)


def test_a_tensor_without_axes_moves_as_an_array():
    one = ModelSignature((TensorSpec("scale", ()),))
    asked = Points(
        Place(1, 1), make_kind("gaussian", 1), (-2,), np.arange(3, dtype=np.uint32),
        np.array([1, 0, -1], np.int8),
    )  # fmt: skip
    of = {"scale": np.array(0.5, np.float32)}
    found = [at["scale"].copy() for at in moved_weights(of, one, asked)]
    assert all(isinstance(at, np.ndarray) and at.shape == () for at in found)
    assert found[1] == 0.5 != found[0]


def test_other_directions_leave_the_file_of_weights_and_the_callers_alone(case):
    module, fast, _ = case
    weights = pruned(module)
    kept = {name: w.tobytes() for name, w in weights.items()}
    for array in weights.values():
        array.flags.writeable = False
    before = fast.sessions.file.path.read_bytes()
    fast(weights, points(fast, 4, kind="masked"), np.arange(4))
    assert {name: w.tobytes() for name, w in weights.items()} == kept
    assert fast.sessions.file.path.read_bytes() == before


def test_one_session_at_a_time_and_none_between_calls(case):
    module, fast, _ = case
    thrifty = OnnxProbe(Sessions(fast.sessions.folder, fast.manifest, one=True), fast.examples)
    weights, asked = initial_weights(module), points(fast, 3, kind="gaussian")
    found = thrifty(weights, asked, np.arange(5))
    assert not thrifty.sessions._open
    np.testing.assert_array_equal(found, fast(weights, asked, np.arange(5)))


def test_an_old_export_refuses_directions_without_factors(case):
    module, fast, _ = case
    old = replace(fast.manifest, graphs=fast.manifest.graphs[:-1])
    probe = OnnxProbe(Sessions(fast.sessions.folder, old), fast.examples)
    with pytest.raises(ProbeError, match="expected rank_one directions, got gaussian: this model"):
        probe(initial_weights(module), points(fast, 2, kind="gaussian"), np.arange(2))


def test_an_export_compares_the_graph_that_takes_weights_with_torch(case):
    module, fast, slow = case
    folder, loss = fast.sessions.folder, nn.functional.cross_entropy
    examples = slow.examples.batch(np.arange(EXAMPLES))
    assert verified(module, loss, examples, folder, fast.manifest).difference < WITHIN
    plain = (folder / fast.manifest.plain.file).read_bytes()  # takes no weights: nothing moves
    (folder / fast.manifest.open.file).write_bytes(plain)
    with pytest.raises(ModelError, match=f"{fast.manifest.open.file} says .* where torch says"):
        verified(module, loss, examples, folder, fast.manifest)


@pytest.mark.parametrize("kind", ["rank_one", "masked"])
def test_weights_that_do_not_fit_are_refused_before_anything_is_written(case, kind):
    module, fast, _ = case
    weights = initial_weights(module)
    name = next(iter(weights))
    weights[name] = weights[name][..., None]
    before = fast.sessions.file.path.read_bytes()
    with pytest.raises(ModelError, match="weights do not fit the exported model"):
        fast(weights, points(fast, 2, kind=kind), np.arange(2))
    assert fast.sessions.file.path.read_bytes() == before


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"input": np.zeros((4, 5), np.float32)}, "expected an array target of int64"),
        (
            {"input": np.zeros((4, 5)), "target": np.zeros(4, np.int64)},
            r"expected input as float32 \('examples', 5\), got float64",
        ),
        (
            {"input": np.zeros((4, 6), np.float32), "target": np.zeros(4, np.int64)},
            r"got float32 \(4, 6\)",
        ),
    ],
)
def test_arrays_that_the_model_does_not_take_are_named(perceptron, arrays, says):
    with pytest.raises(DataError, match=says):
        OnnxProbe(Sessions(perceptron, Manifest.read(perceptron)), ArrayExamples(arrays))


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="as many examples each"):
        ArrayExamples({"input": np.zeros((4, 5)), "target": np.zeros(3)})


def test_fingerprints_tell_data_apart():
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    same = {
        ArrayExamples({"input": x, "target": y}).fingerprint,
        ArrayExamples({"target": y.copy(), "input": np.asfortranarray(x)}).fingerprint,
    }
    assert len(same) == 1
    other = {
        ArrayExamples({"input": x, "target": y[::-1]}).fingerprint,
        ArrayExamples({"input": x.astype(np.float32), "target": y}).fingerprint,
        ArrayExamples({"input": x.reshape(3, 2, 1), "target": y}).fingerprint,
    }
    assert len(other) == 3
    assert not same & other


def test_torch_is_not_needed(perceptron):
    """A process that may not import torch probes all the same."""
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None\n"
        "import numpy as np; from pathlib import Path\n"
        "from baffle.backends.onnx import ArrayExamples, Manifest, OnnxProbe\n"
        "from baffle.backends.onnx.sessions import Sessions\n"
        f"folder = Path({str(perceptron)!r}); m = Manifest.read(folder); m.check(folder)\n"
        "s = Sessions(folder, m)\n"
        "x = ArrayExamples({'input': np.zeros((2, 5), np.float32), 'target': np.zeros(2, int)})\n"
        "print(OnnxProbe(s, x).evaluate(s.file.read()).loss)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    module = small_perceptron()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(module(torch.zeros(2, 5)), torch.zeros(2).long())
    assert float(found.stdout) == pytest.approx(float(loss), abs=1e-6)
