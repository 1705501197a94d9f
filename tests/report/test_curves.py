from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from matplotlib.image import imread

from baffle.errors import ConfigError, LedgerError
from baffle.report import draw_curves
from tests.report.conftest import MakeRun, abandoned, make_rows, rebuilt


def ink(path: Path) -> float:
    """Return the share of a picture that is not white, having checked its size."""
    image = imread(path)
    assert image.shape[:2] == (1080, 1920)
    return float((image[..., :3] < 0.98).any(axis=-1).mean())


def test_one_run_gives_the_same_bytes_twice_and_leaks_no_settings(make_run: MakeRun) -> None:
    rows = make_rows(100)
    rows[30], rows[31] = abandoned(rows[30]), rebuilt(rows[31])
    folder = make_run("run", rows, cut='{"round": 101')
    before = dict(matplotlib.rcParams)
    first = draw_curves([folder], folder / "new" / "a.png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):  # the user's own taste
        second = draw_curves([folder], folder / "b.png")
    assert dict(matplotlib.rcParams) == before
    assert first.read_bytes() == second.read_bytes()
    assert b"Software" not in first.read_bytes()
    assert 0.01 < ink(first) < 0.2


def test_several_runs_show_their_colours(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(f"{i}", make_rows(10 * 4**i), key=i) for i in range(3)]
    picture = draw_curves(runs, tmp_path / "out.png")
    assert ink(picture) > 0.01
    pixels = (imread(picture)[::2, ::2, :3] * 255).round()
    for colour in ((0, 114, 178), (213, 94, 0), (0, 158, 115)):
        assert (pixels == colour).all(axis=-1).any()


def test_labels_change_the_picture(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(f"{i}", make_rows(10), key=i) for i in range(2)]
    one = draw_curves(runs, tmp_path / "1.png", ["$a", "cost in $"]).read_bytes()
    other = draw_curves(runs, tmp_path / "2.png", ["a", "b"]).read_bytes()
    assert one != other
    with pytest.raises(ConfigError, match="one label a run"):
        draw_curves(runs, tmp_path / "3.png", ["a"])


def test_without_a_test_set_only_the_loss_is_drawn(make_run: MakeRun, tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if not k.startswith("test")} for row in make_rows(50)]
    run = make_run("run", rows)
    tested = make_run("tested", make_rows(50), key=1)
    loss = draw_curves([run], tmp_path / "loss.png").read_bytes()
    both = draw_curves([run, tested], tmp_path / "both.png").read_bytes()
    assert loss != both


def test_a_single_round(make_run: MakeRun, tmp_path: Path) -> None:
    assert draw_curves([make_run("run", make_rows(1))], tmp_path / "out.png").stat().st_size > 9999


def test_rows_without_costs_draw_against_rounds(make_run: MakeRun, tmp_path: Path) -> None:
    rows = [rebuilt(row) for row in make_rows(5)]
    assert draw_curves([make_run("run", rows)], tmp_path / "out.png").stat().st_size > 9999


def test_what_cannot_be_drawn(make_run: MakeRun, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    with pytest.raises(ConfigError, match="at least one"):
        draw_curves([], out)
    with pytest.raises(LedgerError, match="round with a loss"):
        draw_curves([make_run("empty", [])], out)
    with pytest.raises(LedgerError, match="round with a loss"):
        draw_curves(
            [make_run("lost", [abandoned(r) for r in make_rows(2, evaluate_every=0)[:1]])], out
        )
    assert not out.exists()


def test_without_matplotlib_the_message_says_what_to_install(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("run", make_rows(2))
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    with pytest.raises(ConfigError, match=r"baffle\[plot\]"):
        draw_curves([run], tmp_path / "out.png")


def test_imports_are_light_and_drawing_leaves_pyplot_alone(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run, out = make_run("run", make_rows(2)), tmp_path / "out.png"
    code = (
        "import sys, pathlib, baffle.report; print({'torch', 'matplotlib'} & set(sys.modules)); "
        f"baffle.report.draw_curves([pathlib.Path({str(run)!r})], pathlib.Path({str(out)!r})); "
        "print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "set()"]
