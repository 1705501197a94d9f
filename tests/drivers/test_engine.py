"""Chunk, threads and clients: chosen once for a form of run, kept in a file that may be damaged."""

import json

import pytest

from baffle.config import resolve
from baffle.drivers.local import engine, engine_cache
from baffle.drivers.local.task import task_of
from tests.drivers.small import SMALL

OPEN = {"engine": {"chunk": 0, "threads": 0}}
KEY = "a" * 64
CHOICE = {"chunk": 8, "threads": 1, "clients": 3, "route": ""}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "baffle" / "engine.json"


@pytest.fixture
def timed(monkeypatch):
    """Candidates that were timed; the last of them is the fastest."""
    seen = []

    def speed(task, plan, candidate, given):
        seen.append(candidate)
        return float(len(seen))

    monkeypatch.setattr(engine, "_speed", speed)
    return seen


def chosen(*sections):
    settings = resolve(SMALL, OPEN, *sections)
    return engine.choose_engine(settings, task_of(settings)).engine


def test_a_second_run_of_the_same_form_is_not_timed(file, timed):
    first = chosen()
    count = len(timed)
    assert count > 1
    assert timed[-1] == engine.Engine(first.chunk, first.threads, first.clients, first.route)
    assert chosen() == first
    assert chosen({"rounds": 5, "key": 3}) == first
    assert len(timed) == count


@pytest.mark.parametrize(
    "other",
    [
        {"probe": {"num_directions": 25}},
        {"probe": {"batch": 7}},
        {"probe": {"directions": "gaussian"}},
        {"federation": {"cohort": 4}},
        {"model": {"options": {"widths": [13]}}},
        {"model": {"options": {"activation": "relu"}}},
        {"engine": {"threads": 1}},
    ],
    ids=str,
)
def test_another_form_is_timed_anew(file, timed, other):
    chosen()
    count = len(timed)
    chosen(other)
    assert len(timed) > count


def test_another_torch_or_processor_is_timed_anew(file, timed, monkeypatch):
    chosen()
    for name in ("_processor", "_affinity"):
        count = len(timed)
        monkeypatch.setattr(engine_cache, name, lambda: "another")
        chosen()
        assert len(timed) > count


def test_what_is_given_is_kept_and_a_complete_choice_is_left_alone(file, timed):
    assert resolve(SMALL).engine.clients == 0
    settings = resolve(SMALL)
    assert engine.choose_engine(settings, task_of(settings)) == settings
    assert chosen({"engine": {"clients": 2}}).clients == 2
    assert chosen({"engine": {"chunk": 7}}).chunk == 7


@pytest.mark.parametrize(
    "sections", [{"probe": {"batch": 0}}, {"probe": {"num_local_steps": 2}}], ids=str
)
def test_clients_that_do_not_share_passes_are_chosen_one_at_a_time(file, timed, sections):
    assert chosen(sections).clients == 1


def test_no_more_clients_than_are_asked(file, timed):
    assert chosen().clients == 5
    assert chosen({"federation": {"cohort": 2}}).clients == 2


def test_a_frozen_beginning_may_go_with_all_points_in_one_pass(file, timed):
    settings = resolve(SMALL, OPEN, {"probe": {"num_directions": 300}})
    task = task_of(settings)
    engine.choose_engine(settings, task)
    assert max(c.chunk for c in timed) == max(engine.CHUNKS)
    for parameter in list(task.model.parameters())[:2]:
        parameter.requires_grad_(False)
    timed.clear()
    engine.choose_engine(settings, task)
    assert max(c.chunk for c in timed) == 300 + 4  # directions and pairs
    assert {c.chunk for c in timed} == {*engine.CHUNKS, 304}


DAMAGED = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"format": 2}',
    b'{"format": 2, "choices": []}',
    b'{"format": 3, "choices": {"%s": {"chunk": 8, "threads": 1, "clients": 3, "route": ""}}}'
    % KEY.encode(),
    b'{"format": 2, "choices": {"%s": {"chunk": 8, "threads": 1}}}' % KEY.encode(),
    b'{"format": 2, "choices": {"%s": {"chunk": true, "threads": 1, "clients": 1, "route": ""}}}'
    % KEY.encode(),
    b'{"format": 2, "choices": {"%s": {"chunk": "8", "threads": 1, "clients": 1, "route": ""}}}'
    % KEY.encode(),
    b'{"format": 2, "choices": {"%s": {"chunk": -8, "threads": 1, "clients": 1, "route": ""}}}'
    % KEY.encode(),
    b'{"format": 2, "choices": {"%s": 3}}' % KEY.encode(),
    b" " * (engine_cache.MOST_BYTES + 1),
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_or_foreign_content_is_ignored_and_written_anew(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    assert engine_cache.recall(KEY) is None
    engine_cache.keep(KEY, CHOICE)
    assert engine_cache.recall(KEY) == CHOICE
    assert [p.name for p in file.parent.iterdir()] == ["engine.json"]


def test_a_choice_that_is_no_candidate_is_timed_anew(file, timed):
    chosen()
    value = json.loads(file.read_text())
    (key,) = value["choices"]
    value["choices"][key] = {"chunk": 10**9, "threads": 10**6, "clients": 10**9, "route": ""}
    file.write_text(json.dumps(value))
    count = len(timed)
    assert chosen().chunk <= 24
    assert len(timed) > count


def test_the_newest_choices_are_kept(file):
    for n in range(engine_cache.MOST_CHOICES + 5):
        engine_cache.keep(f"{n:064d}", CHOICE)
    assert len(json.loads(file.read_text())["choices"]) == engine_cache.MOST_CHOICES
    assert engine_cache.recall(f"{4:064d}") is None
    assert engine_cache.recall(f"{engine_cache.MOST_CHOICES + 4:064d}") == CHOICE


def test_a_folder_that_cannot_be_made_or_written_is_no_error(tmp_path, monkeypatch, timed):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert chosen().chunk > 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "baffle" / "engine.json"
    folder.mkdir(parents=True)  # a folder where the file should be
    assert chosen().chunk > 0
    assert [p.name for p in folder.parent.iterdir()] == ["engine.json"]


def test_a_read_only_folder_is_no_error(file, timed, monkeypatch):
    """As the system says it; a test that runs as root could write anywhere."""

    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(engine_cache.tempfile, "mkstemp", refused)
    assert chosen().chunk > 0
    assert not file.exists()


def test_a_relative_cache_folder_is_ignored_as_the_convention_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine_cache.path() == tmp_path / ".cache" / "baffle" / "engine.json"
