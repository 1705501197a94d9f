"""A device's data, memory, conditions and loop, each alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from baffle.backends.onnx import Manifest
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.device.backing import own_copy
from baffle.drivers.device.budget import Budget, kept, needed, needed_to_move
from baffle.drivers.device.conditions import Battery, Command
from baffle.drivers.device.data import examples_of, held_out_of
from baffle.drivers.device.loop import Loop
from baffle.errors import ConfigError, DataError, LinkLost, ModelError, Refused
from baffle.protocol import Genesis
from baffle.updates import UpdateSpec
from tests.backends.onnx.test_manifest import MANIFEST, folder_like_an_exported_one

# --- data


def stored(folder, **arrays):
    folder.mkdir(exist_ok=True, parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def test_a_folder_of_arrays_is_mapped_not_read(tmp_path):
    x, y = np.ones((5, 3), np.float32), np.arange(5)
    found = examples_of(stored(tmp_path, input=x, target=y), MANIFEST)
    assert len(found) == 5
    assert all(isinstance(a, np.memmap) for a in found.arrays.values())
    np.testing.assert_array_equal(found.batch(np.array([4, 0]))["target"], [4, 0])
    assert held_out_of(tmp_path, MANIFEST) is None
    stored(tmp_path / "test", input=x[:2], target=y[:2])
    assert len(held_out_of(tmp_path, MANIFEST) or ()) == 2


def test_files_that_hold_something_else_are_named(tmp_path):
    with pytest.raises(DataError, match=r"expected an array in .*input.npy"):
        examples_of(tmp_path, MANIFEST)
    stored(tmp_path, input=np.ones((5, 3), np.float32))
    (tmp_path / "target.npy").write_bytes(b"not an array")
    with pytest.raises(DataError, match=r"expected an array in .*target.npy"):
        examples_of(tmp_path, MANIFEST)
    stored(tmp_path, input=np.ones((0, 3), np.float32), target=np.arange(0))
    with pytest.raises(DataError, match="at least one example"):
        examples_of(tmp_path, MANIFEST)


def test_no_code_of_a_data_file_is_run(tmp_path):
    stored(tmp_path, target=np.arange(2))
    np.save(tmp_path / "input.npy", np.array([print, print], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"expected an array in .*input.npy"):
        examples_of(tmp_path, MANIFEST)


# --- memory

GRAPHS = tuple(replace(MANIFEST.graphs[1], points=p, activations=p * 2**20) for p in (16, 8, 4))
LARGE = replace(MANIFEST, graphs=(MANIFEST.graphs[0], *GRAPHS, MANIFEST.graphs[-1]))


@pytest.mark.parametrize(("room", "place"), [(None, 0), (0.0, 0), (-0.1, 1), (-20.0, 2)])
def test_the_largest_pass_that_fits_is_taken(room, place):
    most = 0.0 if room is None else needed(LARGE, GRAPHS[0], 100, on_disk=False) + room
    assert Budget(most).choose(LARGE, taken=100) == GRAPHS[place]
    assert not Budget(most).on_disk(LARGE, taken=100)


def of_weights(side):
    """Return a model of two square layers of so many rows, whose passes are those of LARGE."""
    layers = tuple(TensorSpec(name, (side, side)) for name in ("a", "b"))
    return replace(LARGE, signature=ModelSignature(layers))


def test_where_no_pass_fits_beside_a_state_the_state_goes_to_the_disk():
    model = of_weights(1024)
    least = needed(model, GRAPHS[-1], 100, on_disk=False)
    assert not Budget(least).on_disk(model, 100)
    assert Budget(least - 1).on_disk(model, 100)
    assert Budget(least - 1).choose(model, 100) == GRAPHS[0]  # the disk leaves room for more


def test_a_budget_that_nothing_fits_is_refused_with_what_it_would_take():
    for model in (LARGE, of_weights(1024)):
        least = needed(model, GRAPHS[-1], 100, on_disk=True)
        Budget(least).choose(model, taken=100)
        with pytest.raises(ConfigError, match=f"a memory budget of {least:.0f} MiB or more"):
            Budget(least - 1).choose(model, taken=100)


def genesis_of(**probe: object) -> Genesis:
    update = UpdateSpec()
    return Genesis("baffle", 1, LARGE.signature, update, b"\0" * 32, {"probe": probe})


@pytest.mark.parametrize("kind", ["rademacher", "gaussian", "masked"])
def test_directions_that_are_drawn_by_entry_have_a_need_of_their_own(kind):
    run = genesis_of(directions=kind)
    least = needed_to_move(LARGE, LARGE.open, kind, 100, on_disk=True)
    Budget(least).require(LARGE, run, 100)
    Budget(0).require(LARGE, run, 100)
    with pytest.raises(ConfigError, match=f"{least:.0f} MiB or more for {kind} directions"):
        Budget(least - 1).require(LARGE, run, 100)
    Budget(least - 1).require(LARGE, genesis_of(directions="rank_one"), 100)


@pytest.mark.parametrize("probe", [None, [], {"directions": 3}, {}])
def test_a_genesis_that_names_no_directions_is_taken_as_rank_one(probe):
    run = replace(genesis_of(), settings={"probe": probe})
    Budget(1).require(LARGE, run, 100)


def test_what_was_taken_is_said():
    assert kept(Budget(100), lambda: 90.0) == "peak memory 90 of 100 MiB"
    assert kept(Budget(100), lambda: 120.0).endswith("MORE THAN ALLOWED")
    assert kept(Budget(), lambda: 120.0) == "peak memory 120 MiB"


# --- its own copy


def test_a_copy_that_is_not_whole_is_made_again(tmp_path):
    model = folder_like_an_exported_one(tmp_path / "model")
    manifest = Manifest.read(model)
    folder = own_copy(model, tmp_path, manifest)
    (folder / manifest.plain.file).write_bytes(b"half")
    assert own_copy(model, tmp_path, manifest) == folder
    manifest.check(folder)
    other = tmp_path / "other"
    other.mkdir()
    for path in model.iterdir():
        (other / path.name).write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError):
        own_copy(other, tmp_path / "state", manifest)


# --- conditions


@pytest.mark.parametrize(
    ("charge", "status", "hinders"),
    [("80", "Discharging", False), ("20", "Discharging", True), ("20", "Charging", False),
     ("?", "Discharging", False)],
)  # fmt: skip
def test_a_low_battery_hinders_unless_it_is_charged(tmp_path, charge, status, hinders):
    supply = tmp_path / "BAT0"
    supply.mkdir()
    (supply / "capacity").write_text(charge + "\n")
    (supply / "status").write_text(status + "\n")
    assert bool(Battery(30, tmp_path).hinders()) is hinders


def test_a_device_without_a_battery_works(tmp_path):
    assert Battery(30, tmp_path / "none").hinders() == ""


def test_a_command_says_when():
    assert Command([sys.executable, "-c", ""]).hinders() == ""
    assert "ended with 3" in Command([sys.executable, "-c", "raise SystemExit(3)"]).hinders()
    assert "No such file" in Command(["/no/such/command"]).hinders()


# --- the loop


@dataclass
class Script:
    """A link that does what it is told, one turn after another."""

    turns: list[object]
    answers: list[bytes] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def ask(self, wait: float) -> Sequence[bytes] | None:
        self.waits.append(wait)
        found = self.turns.pop(0)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[return-value]

    def answer(self, data: bytes) -> bool:
        self.answers.append(data)
        return True


def loop(link: Script, **more: object) -> Loop:
    given = {
        "handle": lambda parts: b"<" + parts[0] + b">",
        "done": lambda: not link.turns,
        "sleep": lambda seconds: None,
        **more,
    }
    return Loop(link, **given)  # type: ignore[arg-type]


def test_asks_are_answered_until_the_run_is_over():
    link = Script([None, [b"a"], LinkLost("away"), [b"b"]])
    assert loop(link).run()
    assert link.answers == [b"<a>", b"<b>"]


def test_a_run_that_is_over_at_the_gateway_ends_it():
    link = Script([[b"a"], Refused("done", "over"), [b"b"]])
    assert not loop(link, done=lambda: False).run()
    assert link.answers == [b"<a>"]


def test_a_device_that_stays_waits_for_the_next_run():
    slept: list[float] = []
    link = Script([Refused("done", "over"), [b"a"]])
    found = loop(link, until_done=False, sleep=slept.append, stop=lambda: not link.turns).run()
    assert not found
    assert link.answers == [b"<a>"]
    assert len(slept) == 1


def test_a_refusal_for_good_is_raised():
    with pytest.raises(Refused, match="unknown device"):
        loop(Script([Refused("device", "unknown device")]), done=lambda: False).run()


def test_conditions_come_before_every_ask():
    said = iter(["too hot", "too hot", ""])

    class Heat:
        def hinders(self) -> str:
            return next(said, "")

    slept: list[float] = []
    link = Script([[b"a"]])
    assert loop(link, conditions=(Heat(),), sleep=slept.append).run()
    assert len(slept) == 2
    assert len(link.waits) == 1
