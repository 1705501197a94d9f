"""TensorBoard's own reader finds what was written."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from baffle.monitor.tensorboard import TensorBoard
from tests.monitor.conftest import SUMMARY, abandoned, row


def read(folder):
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def points(found, tag):
    return [(event.step, event.value) for event in found.Scalars(tag)]


def board(folder, about, rows):
    monitor = TensorBoard(folder)
    monitor.begin(about)
    for each in rows:
        monitor.row(each)
    return monitor


def test_scalars_by_round_in_groups(tmp_path, about):
    monitor = board(tmp_path, about, [row(1), row(2)])
    found = read(tmp_path)  # while the run goes on
    assert points(found, "loss/loss") == [(1, 2.0), (2, 1.0)]
    assert points(found, "fleet/missing") == [(1, 2.0), (2, 2.0)]
    assert points(found, "refused/late") == [(1, 1.0), (2, 2.0)]
    assert points(found, "faults/timeout") == [(1, 2.0), (2, 4.0)]
    assert points(found, "traffic/bytes_down") == [(1, 1000.0), (2, 2000.0)]
    monitor.end(SUMMARY)
    monitor.close()
    monitor.close()
    texts = {tag: read(tmp_path).Tensors(tag) for tag in ("run/settings", "run/summary")}
    said = texts["run/settings"][0].tensor_proto.string_val[0].decode()
    assert '"radius": 0.001953125' in said
    assert SUMMARY["digest"] in texts["run/summary"][0].tensor_proto.string_val[0].decode()


def test_what_is_not_finite_leaves_a_gap(tmp_path, about):
    board(tmp_path, about, [row(1), abandoned(2), row(3)]).close()
    found = read(tmp_path)
    assert [step for step, _ in points(found, "loss/loss")] == [1, 3]
    assert points(found, "fleet/abandoned") == [(1, 0.0), (2, 1.0), (3, 0.0)]
    assert "estimate/even_to_odd" not in found.Tags()["scalars"]


def test_a_resumed_run_goes_on_and_rounds_that_ran_twice_are_there_once(tmp_path, about):
    killed = board(tmp_path, about, [row(1), row(2), row(3, loss=9.0)])
    board(tmp_path, about | {"round": 2}, [row(3, loss=7.0), row(4, loss=6.0)]).close()
    assert points(read(tmp_path), "loss/loss") == [(1, 2.0), (2, 1.0), (3, 7.0), (4, 6.0)]
    assert len(list(tmp_path.iterdir())) == 2
    killed.close()


def test_the_folder_is_in_the_run_folder_by_default(tmp_path, about):
    board(None, about, [row(1)]).close()
    assert points(read(tmp_path / "run" / "tensorboard"), "loss/loss") == [(1, 2.0)]


def test_an_event_before_the_run_begins_has_no_place_and_a_later_one_has(tmp_path, about):
    monitor = TensorBoard(tmp_path)
    monitor.event("calibration", loss=1.0)
    monitor.begin(about)
    monitor.event("joined", client=3)
    monitor.close()
    assert read(tmp_path).Tags()["tensors"] == ["run/settings", "event/joined"]


def test_a_full_disk_raises_where_it_happens(about, tmp_path):
    monitor = board(tmp_path, about, [row(1)])
    monitor.close()
    monitor._file = Path("/dev/full").open("wb")  # noqa: SIM115 - the monitor's to close
    with pytest.raises(OSError, match="No space left"):
        monitor.row(row(2))
    with pytest.raises(OSError, match="No space left"):
        monitor.close()  # tries once more what it could not write
    monitor.close()


def test_no_rows_without_a_run(tmp_path):
    with pytest.raises(ValueError, match="no run has begun"):
        TensorBoard(tmp_path).row(row(1))
