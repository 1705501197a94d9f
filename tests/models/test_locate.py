from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from baffle.errors import ModelError
from baffle.models import MODELS
from baffle.models.locate import SHAPES, find_model

NETS = """
from dataclasses import dataclass

import torch
from torch import nn

from beside import WIDTH


@dataclass(frozen=True)
class Sizes:
    width: int = WIDTH


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(2, Sizes().width))


class Wide(nn.Sequential):
    def __init__(self, width: int, *, depth: int, bias: bool = True) -> None:
        super().__init__(nn.Linear(2, width, bias))


class Family:
    small = nn.Linear(1, 1)


def make(*names, **options):
    return Net()


def broken():
    return nn.Linear(-1, 2, dtype=torch.int8)


def undecided():
    return None


def leave():
    raise SystemExit(3)


net = Net()
text = "not a model"
weights = {"weight": torch.zeros(2)}
"""


def line(code: str) -> int:
    (number,) = [n for n, text in enumerate(NETS.splitlines(), start=1) if code in text]
    return number


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 3\n")
    file = tmp_path / "nets.py"
    file.write_text(NETS)
    yield file
    sys.modules.pop("beside", None)


@pytest.mark.parametrize("name", MODELS)
def test_a_name_is_a_model_that_takes_rows_of_its_shape(name: str) -> None:
    model = find_model(name)
    assert model(torch.zeros((1, *SHAPES[name]))).shape == (1, 10)


def test_every_model_has_a_shape() -> None:
    assert SHAPES.keys() == MODELS.keys()


def test_shape_and_classes_of_a_name() -> None:
    assert find_model("lenet", (3, 8, 8), 4)(torch.zeros((1, 3, 8, 8))).shape == (1, 4)
    with pytest.raises(ModelError, match="2 classes or more"):
        find_model("lenet", classes=0)


@pytest.mark.parametrize("attribute", ["Net", "net", "make"])
def test_a_class_an_instance_and_a_function_in_a_file(nets: Path, attribute: str) -> None:
    before = list(sys.path)
    assert find_model(f"{nets}:{attribute}")[0].out_features == 3
    assert sys.path == before


def test_a_dotted_attribute(nets: Path) -> None:
    assert isinstance(find_model(f"{nets}:Family.small"), nn.Linear)


def test_a_module_in_the_working_folder(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nets.parent)
    nets.rename("nets_by_name.py")
    assert isinstance(find_model("nets_by_name:net"), nn.Sequential)
    del sys.modules["nets_by_name"]


def test_a_relative_file(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nets.parent)
    assert isinstance(find_model("nets.py:net"), nn.Sequential)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Nett", r"nets\.py has no 'Nett'; there is Net, "),
        ("zzz", r"has no 'zzz'; there is Net, Wide, broken, leave, make"),
        ("Family.large", "has no 'large'; there is small"),
        ("text.x", r"has no 'x'\.$"),
        ("Wide", "without arguments: TypeError: missing a required argument: 'width'; write a fun"),
        ("broken", rf"be called: RuntimeError: .* \(nets\.py, line {line('Linear(-1')}\)\."),
        ("undecided", r"undecided\(\): expected a torch.nn.Module, got NoneType"),
        ("leave", rf"could not be called: SystemExit: 3 \(nets\.py, line {line('Exit(3)')}\)"),
        ("text", r"nets\.py:text: expected a torch.nn.Module, got str\."),
        ("weights", "got dict; weights alone do not say how to compute"),
    ],
)
def test_what_is_no_model_in_a_file(nets: Path, attribute: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_model(f"{nets}:{attribute}")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = = 1\n", r"could not be loaded: SyntaxError: invalid syntax .*line 1\)"),
        ("\nimport no_such_thing\n", r"ModuleNotFoundError: .*'no_such_thing' \(net\.py, line 2\)"),
        ("raise ValueError\n", r"loaded: ValueError \(net\.py, line 1\)\.$"),
        ("import sys\nsys.exit('usage')\n", r"SystemExit: usage \(net\.py, line 2\)\.$"),
    ],
)
def test_a_file_that_does_not_run(tmp_path: Path, code: str, message: str) -> None:
    file = tmp_path / "net.py"
    file.write_text(code)
    with pytest.raises(ModelError, match=message):
        find_model(f"{file}:net")
    assert not [name for name in sys.modules if name.startswith("_baffle_user_net_")]


def test_a_module_that_does_not_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken_net.py").write_text("import no_such_thing\n")
    with pytest.raises(ModelError, match=r"broken_net could not be loaded: ModuleNotFoundError"):
        find_model("broken_net:net")
    Path("stopped_net.py").write_text("1 / 0\n")
    with pytest.raises(ModelError, match=r"ZeroDivisionError: .* \(stopped_net\.py, line 1\)"):
        find_model("stopped_net:net")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lenets",
            "among convnet, lenet, .*, signal, wrn, or package.module:attribute or .*'lenet",
        ),
        ("", "expected a model among"),
        ("model.pt", "pickles are never loaded"),
        ("runs/model.CKPT", "pickles are never loaded"),
        ("model.safetensors", "got weights in 'model.safetensors'"),
        ("nets.py", "write nets.py:attribute"),
        (":net", "nothing on one side of the colon"),
        ("nets.py:", "nothing on one side of the colon"),
        ("no_such_package.nets:net", "found no 'no_such_package'"),
        ("torch.no_such_part:net", "found no 'torch.no_such_part'"),
        ("no/such/file.py:net", "at 'no/such/file.py', found no such file"),
        ("torch.nn:Linear", "cannot be called without arguments"),
    ],
)
def test_what_names_nothing(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_model(text)


def test_a_folder_and_a_file_that_is_no_code(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found a folder"):
        find_model(f"{tmp_path}:net")
    (tmp_path / "model.pt").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(ModelError, match=r"whose name ends in \.py"):
        find_model(f"{tmp_path}/model.pt:net")


def test_no_code_runs_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lenet.py").write_text("raise AssertionError('was run')\n")
    find_model("lenet")
    for text in ("lenet.py", "lenet."):
        with pytest.raises(ModelError, match="expected"):
            find_model(text)
