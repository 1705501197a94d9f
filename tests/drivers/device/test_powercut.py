"""A device's own files through a power cut at each write."""

from __future__ import annotations

import numpy as np
import pytest

from baffle.backends.onnx.manifest import Manifest
from baffle.backends.onnx.weights import WeightsFile
from baffle.drivers.device.backing import own_copy
from baffle.drivers.fleet.identity import own_secret
from baffle.drivers.http import keys as keys_module
from baffle.drivers.http.keys import Home, Keys
from tests.backends.onnx.test_manifest import folder_like_an_exported_one
from tests.powercut import Disk, hasty  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("hasty")

HOME = Home(bytes(range(16)), bytes(range(32)))


def cuts_of(tmp_path, live):
    """Yield (what is left of a life in a folder `state`, what was said before)."""
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life") as disk:
        live(tmp_path / "life" / "state", disk.say)
    for number, cut in enumerate(disk.cuts()):
        yield cut.restore(tmp_path / "left" / str(number)) / "state", cut


def test_a_secret_that_was_used_is_kept(tmp_path):
    seen = set()
    for folder, cut in cuts_of(tmp_path, lambda state, say: say(own_secret(state))):
        seen.add(bool(cut.said))
        found = own_secret(folder)
        assert not cut.said or found == cut.said[0], cut.how
    assert seen == {False, True}


def test_a_device_stays_who_it_is_and_uses_no_number_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(keys_module, "BLOCK", 4)

    def live(state, say):
        keys = Keys(state / "gateway")
        say(("enrolling", keys.public))  # its token is used from here on
        keys.enrolled(HOME)
        say(("enrolled", HOME))
        for _ in range(6):
            say(("used", keys.counter()))

    asked = 0
    for folder, cut in cuts_of(tmp_path, live):
        said, keys = dict(cut.said), Keys(folder / "gateway")
        assert keys.public == said.get("enrolling", keys.public), cut.how
        assert keys.home == HOME or "enrolled" not in said, cut.how
        assert keys.counter() > said.get("used", 0), cut.how
        asked += "used" in said
    assert asked >= 10  # once a number at least, and around where a block begins


def test_a_copy_of_the_model_is_made_whole_again(tmp_path):
    model = folder_like_an_exported_one(tmp_path / "model")
    manifest = Manifest.read(model)
    shapes = WeightsFile(model, manifest).read()
    rounds = [{n: np.full_like(w, r) for n, w in shapes.items()} for r in range(3)]

    def live(state, say):
        folder = own_copy(model, state, manifest)
        for weights in rounds:
            WeightsFile(folder, manifest).write(weights)
            say("written")

    held = set()
    for state, cut in cuts_of(tmp_path, live):
        file = WeightsFile(own_copy(model, state, manifest), manifest)
        manifest.check(file.path.parent)
        held.add(tuple(file.holds(weights) for weights in rounds))
        file.write(rounds[-1])  # as before each use, if it does not hold them
        assert file.holds(rounds[-1]), cut.how
    assert {(False,) * 3, (False, False, True)} <= held
