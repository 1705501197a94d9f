"""A run that ended before it had stored its first weights, and a log that ended in mid-line."""

import pytest
import torch

from baffle.config import load_config, resolve
from baffle.drivers.local.metrics import FILE, read_metrics
from baffle.drivers.local.session import resume
from baffle.drivers.local.task import task_of
from baffle.errors import ConfigError, LedgerError
from baffle.ledger import Ledger
from baffle.protocol import decode_plan
from tests.drivers.small import begin, digests, finished


@pytest.fixture
def unsaved(tmp_path, monkeypatch):
    """A run folder as a kill between the ledger's birth and its first snapshot leaves it."""

    def killed(ledger, state):
        ledger.close()
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(Ledger, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            begin(tmp_path / "run")
    (tmp_path / "run" / "config.toml").write_text("algorithm = 'ba")
    return tmp_path / "run"


def test_it_can_be_resumed(unsaved, tmp_path):
    session = resume(unsaved, task_of)
    session.run()
    session.close()
    assert digests(unsaved) == finished(tmp_path / "whole")
    assert resolve(load_config(unsaved / "config.toml")) == session.settings


def test_but_not_from_other_weights(unsaved):
    def other(settings):
        task = task_of(settings)
        with torch.no_grad():
            next(task.model.parameters()).add_(1)
        return task

    with pytest.raises(LedgerError, match="not those that it began with"):
        resume(unsaved, other)
    resume(unsaved, task_of).close()


def test_another_number_of_clients_is_refused(tmp_path):
    begin(tmp_path).close()

    def fewer(settings):
        task = task_of(settings)
        del task.rows[-1]
        return task

    with pytest.raises(ConfigError, match="10 clients, got 9"):
        resume(tmp_path, fewer)


def test_a_log_cut_in_mid_line_or_ahead_of_the_ledger_comes_back(tmp_path):
    finished(tmp_path)
    path = tmp_path / FILE
    whole = read_metrics(tmp_path)
    text = path.read_text()
    for broken in (text[:-50], text[: len(text) // 2], "", text + text.splitlines()[-1][:30]):
        path.write_text(broken)
        resume(tmp_path, task_of).close()
        rows = read_metrics(tmp_path)
        for key in ("round", "digest", "loss", "bytes_up", "bytes_down", "probes"):
            assert [r[key] for r in rows] == [r[key] for r in whole]
    path.write_text(text + text.splitlines()[-1].replace('"round": 8', '"round": 9') + "\n")
    resume(tmp_path, task_of).close()
    assert len(read_metrics(tmp_path)) == 8


@pytest.mark.parametrize("asked", [0, 8])
def test_what_a_client_picks_from_stays_after_a_resume(tmp_path, asked):
    """The algorithm's own choice is another one; a genesis says nothing of none at all."""
    begin(tmp_path, {"probe": {"batch": 4, "candidates": asked}}).close()
    session = resume(tmp_path, task_of)
    assert decode_plan(session.federation.server.open_round()).candidates == asked
    session.close()
