"""The page of an exported folder: every field checked, nothing outside the folder read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.backends.onnx.manifest import FILE, Array, Constants, Graph, Manifest
from baffle.backends.onnx.weights import WeightsFile
from baffle.directions import ModelSignature, TensorSpec
from baffle.errors import ModelError

MANIFEST = Manifest(
    signature=ModelSignature((TensorSpec("b", (2,)), TensorSpec("w", (2, 3))), b"\1" * 32),
    inputs=(Array("input", (3,), "float32"),),
    targets=(Array("target", (), "int64"),),
    spread="one",
    graphs=(
        Graph("plain.onnx", 1, 4, ("losses", "right"), 64, "ab" * 32),
        Graph("pass-2.onnx", 2, 4, ("losses",), 256, "cd" * 32),
        Graph("open.onnx", 1, 4, ("losses", "right"), 64, "01" * 32, takes_weights=True),
    ),
    constants=Constants("weights.bin", 4096, {"b": 0, "w": 64}, 128, "ef" * 32),
    opset=18,
    made_by={"baffle": "0.1.0"},
    difference=1e-7,
)


def folder_like_an_exported_one(folder: Path) -> Path:
    """Write a folder whose files are what its page says; its graphs are none."""
    folder.mkdir(parents=True)
    weights = np.arange(48, dtype="<f4").tobytes()
    (folder / "weights.bin").write_bytes(weights)
    graphs = []
    for graph in MANIFEST.graphs:
        (folder / graph.file).write_bytes(graph.file.encode())
        graphs.append(replace(graph, sha256=hashlib.sha256(graph.file.encode()).hexdigest()))
    rest = hashlib.sha256(weights[128:]).hexdigest()
    constants = replace(MANIFEST.constants, size=len(weights), sha256=rest)
    page = replace(MANIFEST, graphs=tuple(graphs), constants=constants)
    (folder / FILE).write_text(page.to_json(), encoding="utf-8")
    return folder


@pytest.fixture
def own(tmp_path) -> Path:
    return folder_like_an_exported_one(tmp_path / "own")


def test_a_page_comes_back():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_the_digest_ties_down_every_field():
    other = [
        replace(MANIFEST, opset=19),
        replace(MANIFEST, constants=replace(MANIFEST.constants, sha256="00" * 32)),
        replace(MANIFEST, graphs=(MANIFEST.graphs[0], replace(MANIFEST.graphs[1], batch=5))),
        replace(MANIFEST, graphs=MANIFEST.graphs[:2]),
    ]
    assert len({m.digest for m in (MANIFEST, *other)}) == 5


def test_graphs_are_told_apart():
    assert [g.file for g in MANIFEST.passes] == ["pass-2.onnx"]
    assert MANIFEST.open == MANIFEST.graphs[2]
    assert replace(MANIFEST, graphs=MANIFEST.graphs[:2]).open is None


def test_a_page_of_the_first_format_is_read_and_has_no_graph_that_takes_weights():
    page = json.loads(MANIFEST.to_json()) | {"format": "baffle export 1"}
    page["graphs"] = [
        {name: value for name, value in graph.items() if name != "takes_weights"}
        for graph in page["graphs"][:2]
    ]
    found = Manifest.from_json(json.dumps(page))
    assert found == replace(MANIFEST, graphs=MANIFEST.graphs[:2])
    assert found.open is None


def changed(path: tuple, value: object) -> str:
    page = json.loads(MANIFEST.to_json())
    place = page
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(page)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("format",), "baffle export 3", "one of baffle export 2, baffle export 1 for format"),
        (("format",), ["baffle export 2"], "one of baffle export 2, baffle export 1 for format"),
        (("signature",), None, "expected a table for signature"),
        (("signature", "tensors", 0, 1), [-1], "a whole number from 0 for shape of b"),
        (("signature", "tensors", 0, 3), 1, "a name and whether it is trained"),
        (("signature", "frozen"), "xyz", "hexadecimal digits for frozen"),
        (("graphs",), [], "a plain graph first"),
        (("graphs", 0, "points"), 2, "a plain graph first"),
        (("graphs", 1, "points"), 1, "passes of two points or more"),
        (("graphs", 1, "points"), True, "a whole number from 1 for points"),
        (("graphs", 0, "takes_weights"), True, "one that takes weights at most, behind all others"),
        (("graphs", 1, "takes_weights"), True, "one that takes weights at most, behind all others"),
        (("graphs", 2, "takes_weights"), False, "passes of two points or more"),
        (("graphs", 2, "takes_weights"), None, "true or false for takes_weights"),
        (("graphs", 2, "takes_weights"), 1, "true or false for takes_weights"),
        (("graphs", 2, "points"), 2, "one point where weights are taken"),
        (("graphs", 1, "file"), "../pass.onnx", "a name without folders for file"),
        (("graphs", 1, "file"), "/etc/passwd", "a name without folders for file"),
        (("graphs", 1, "file"), "..", "a name without folders for file"),
        (("graphs", 1, "file"), "a\\b", "a name without folders for file"),
        (("constants", "file"), "a/../../b", "a name without folders for file"),
        (("constants", "trained"), {"b": 0}, r"the trained tensors \['b', 'w'\]"),
        (("constants", "trained", "w"), 4, "a place from 8 on"),
        (("constants", "begin"), 80, "88 to 4096 for constants.begin"),
        (("constants", "size"), 100, "88 to 100 for constants.begin"),
        (("inputs", 0, "dtype"), "object", "one of bool"),
        (("spread",), "list", "one of one, tuple, dict for spread"),
        (("difference",), "0", "a number for difference"),
        (("opset",), 2**60, "a whole number from 1 for opset"),
    ],
)
def test_a_wrong_field_is_named(path, value, says):
    with pytest.raises(ModelError, match=says):
        Manifest.from_json(changed(path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"', "[" * 10_000])
def test_what_is_no_page_is_refused(text):
    with pytest.raises(ModelError):
        Manifest.from_json(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(page: object, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    steps = (
        page.items()
        if isinstance(page, dict)
        else enumerate(page)
        if isinstance(page, list)
        else ()
    )
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(json.loads(MANIFEST.to_json()))), VALUES)
def test_any_value_anywhere_is_read_or_refused(path, value):
    page = json.loads(MANIFEST.to_json())
    place = page
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    try:
        found = Manifest.from_json(json.dumps(page))
    except ModelError:
        return
    assert Manifest.from_json(found.to_json()) == found


def test_a_folder_without_a_page_is_named(tmp_path):
    with pytest.raises(ModelError, match="as `baffle export` makes it"):
        Manifest.read(tmp_path)
    (tmp_path / FILE).write_bytes(b"\xff")
    with pytest.raises(ModelError, match="not UTF-8"):
        Manifest.read(tmp_path)


def test_files_are_compared_with_the_page(own):
    manifest = Manifest.read(own)
    manifest.check(own)
    for name in (manifest.plain.file, manifest.passes[0].file):
        data = (own / name).read_bytes()
        (own / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(ModelError, match=f"{name} is not the file that was exported"):
            manifest.check(own)
        (own / name).write_bytes(data)
    constants = own / manifest.constants.file
    constants.write_bytes(constants.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"expected \d+ bytes"):
        manifest.check(own)
    constants.unlink()
    with pytest.raises(ModelError, match="No such file"):
        manifest.check(own)


def test_trained_tensors_may_differ_from_the_exported_ones(own):
    manifest = Manifest.read(own)
    file = WeightsFile(own, manifest)
    weights = file.read()
    assert file.holds(weights)
    moved = {name: w + 1 for name, w in weights.items()}
    assert not file.holds(moved)
    file.write(moved)
    assert file.holds(moved)
    manifest.check(own)


def test_half_a_write_is_found(own):
    file = WeightsFile(own, Manifest.read(own))
    weights = {name: w + 1 for name, w in file.read().items()}
    file.write(weights)
    data = bytearray(file.path.read_bytes())
    data[3] ^= 64
    file.path.write_bytes(data)
    assert not file.holds(weights)
    file.write(weights)
    assert file.holds(weights)


def test_not_a_number_and_both_zeros_are_told_apart(own):
    file = WeightsFile(own, Manifest.read(own))
    weights = file.read()
    name = next(iter(weights))
    weights[name].flat[:2] = np.nan, -0.0
    file.write(weights)
    assert file.holds(weights)
    weights[name].flat[1] = 0.0
    assert not file.holds(weights)
