"""Rows of the measurement of secure sums, on small groups."""

import gc
from dataclasses import replace
from functools import _lru_cache_wrapper

import numpy as np
import pytest

from baffle.bench import secagg as secagg_file
from baffle.bench import secure_round
from baffle.bench.secagg import SecaggOptions, group_of, plan_of, secagg, timed
from baffle.bench.secure_round import (
    STAGES,
    Differs,
    acquainted,
    forget,
    is_exact,
    plain_sum,
    play,
    serve,
    stranger,
)
from baffle.errors import ConfigError
from baffle.protocol import Report, encode_report
from baffle.secagg import Abandoned
from baffle.secagg.keys import _signed
from tests.cli.run_cli import call, last_json

SMALL = SecaggOptions(clients=(4, 10), directions=5, repeats=1, sample=2)


@pytest.fixture(scope="module")
def group():
    return group_of(10, 5, 16)


@pytest.fixture(scope="module")
def played(group):
    return play(group)


def test_each_group_has_a_row_with_all_and_one_with_some_gone_if_it_bears_that():
    rows = list(secagg(SMALL))
    assert [(r["clients"], r["gone"]) for r in rows] == [(4, 0), (10, 0), (10, 1)]
    for row in rows:
        assert row["exact"]
        assert 0 < row["client_ms"] <= row["client_ms_worst"]
        assert 0 < row["first_ms"] <= row["first_ms_worst"]
        assert row["server_ms"] > 0
        assert set(row["stages_ms"]) == set(row["up"]) == set(row["down"]) == set(STAGES)
        assert row["threshold"] <= row["neighbours"] < row["clients"]


def test_bytes_are_those_of_the_messages(group, played):
    ended, record = played
    row = secagg_file._bytes(ended)
    client = 3
    assert row["bytes_up"] == sum(len(record.answers[s, client]) for s in STAGES)
    assert row["bytes_down"] == sum(len(record.asks[s, client]) for s in STAGES)
    assert row["bytes_up"] == sum(row["up"].values())


def test_the_report_in_the_clear_has_the_size_that_the_row_says():
    (row,) = secagg(replace(SMALL, clients=(4,)))
    report = Report(bytes(8), 0, 3, np.zeros(5, np.int64), 1, 0, 0, 0, 0, 0, 0)
    assert row["report_bytes"] == len(encode_report(report, plan_of(5, 16).bits))


def test_who_is_gone_is_no_part_of_the_sum(group, played):
    _, record = played
    gone = frozenset({2})
    ended, again = play(group, gone, record)
    assert ended.result.participants == tuple(n for n in range(10) if n not in gone)
    assert is_exact(group, ended, gone)
    assert not is_exact(group, ended)
    assert not (plain_sum(group) == plain_sum(group, gone)).all()
    assert {stage for stage, _ in again.seconds} == {"unmask"}  # the rest was known


def test_too_many_gone_is_no_sum_and_not_exact(group):
    ended, _ = play(group, frozenset({0, 1, 2}))
    assert isinstance(ended.result, Abandoned)
    assert not is_exact(group, ended, frozenset({0, 1, 2}))


def test_the_server_alone_comes_to_the_same_on_what_clients_said(group, played):
    ended, record = played
    again = serve(group, record.says)
    assert np.array_equal(again.result.values, ended.result.values)
    record_of_others = play(group_of(10, 5, 16))[1]
    assert isinstance(serve(group, record_of_others.says).result, Abandoned)


@pytest.mark.parametrize("before", [stranger, acquainted])
def test_a_clients_round_alone_has_three_times_and_the_same_answers(group, played, before):
    _, record = played
    assert all(seconds > 0 for seconds in timed(group, 4, record, before))
    other = replace(record, answers=record.answers | {("mask", 4): b"another"})
    with pytest.raises(Differs, match="client 4, mask"):
        timed(group, 4, other, before)


def test_a_stranger_has_nothing_cached_and_an_acquaintance_all_signatures(group):
    play(group)
    stranger(group, 0)
    caches = [c for c in gc.get_objects() if type(c) is _lru_cache_wrapper]
    ours = [c for c in caches if (c.__module__ or "").startswith("baffle.secagg")]
    assert len(ours) >= 5
    assert not any(c.cache_info().currsize for c in ours)
    acquainted(group, 0)
    assert _signed.cache_info().currsize == 10


def test_clients_that_share_a_process_can_be_kept_apart(group):
    met = []
    _, record = play(group, before=lambda _, number: met.append(number))
    assert met == list(range(10))
    assert len(record.seconds) == 30


def test_forgetting_changes_no_answer(group, played):
    _, record = played
    forget()
    _, again = play(group, before=stranger)
    assert again.answers == record.answers


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--clients", "2"], "--clients must lie in 3 to 10,000, got 2"),
        (["--clients", "10;100"], "--clients must be whole numbers with commas between them"),
        (["-K", 0], "--directions must lie in 1 to 65,536, got 0"),
        (["--repeats", 0], "--repeats must lie in 1 to 1,000"),
    ],
)
def test_wrong_options_are_one_sentence_and_exit_code_two(capsys, wrong, message):
    code, out, err = call(capsys, "bench", "secagg", *wrong)
    assert (code, out) == (2, "")
    assert message in err
    with pytest.raises(ConfigError):
        SecaggOptions(clients=(3, 20_000))


def test_the_command_measures_what_it_is_asked(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ask = ("bench", "secagg", "--quick", "--clients", "4,10", "-K", 5, "--json")
    code, out, err = call(capsys, *ask)
    value = last_json(out)
    assert code == 0
    assert [row["clients"] for row in value["rows"]] == [4, 10, 10]
    assert {row["directions"] for row in value["rows"]} == {5}
    assert value["complete"]
    assert "exact" in err
    assert "…" not in err
    assert max(map(len, err.splitlines())) <= 80


def test_a_wrong_sum_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(secagg_file, "is_exact", lambda *_: False)
    code, out, _ = call(capsys, "bench", "secagg", "--quick", "--clients", "4", "-K", 5)
    assert code == 0
    assert "WRONG" in out


def test_numbers_of_a_large_group_stay_within_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (row,) = secagg(replace(SMALL, clients=(4,)))
    large = row | {
        "clients": 10_000, "gone": 1_000, "neighbours": 112, "client_ms": 16.91,
        "first_ms": 32.41, "server_ms": 12_345.6, "bytes_up": 912_345, "bytes_down": 912_345,
        "report_bytes": 8_123, "client_ms_worst": 18.2,
    }  # fmt: skip
    monkeypatch.setattr(secagg_file, "secagg", lambda *_: iter([large]))
    _, out, _ = call(capsys, "bench", "secagg")
    assert {"10,000", "1,000", "112", "12,346", "8.12"} <= set(out.split())
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_round_is_served_in_the_three_stages_that_are_timed(played):
    ended, _ = played
    assert tuple(ended.up) == tuple(ended.down) == STAGES == secure_round.STAGES
