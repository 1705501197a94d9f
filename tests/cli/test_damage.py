"""Mistakes of the hand and damage of the disk, command by command: a sentence, no traceback."""

import shutil
import sqlite3

import pytest

from tests.cli.run_cli import call
from tests.cli.test_commands import FAST

COMMANDS = ("resume", "verify", "replay", "evaluate")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    from baffle.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "one"
    with pytest.raises(SystemExit):
        main(["run", *map(str, FAST), "--out", str(folder)])
    return folder


@pytest.fixture
def run(whole, tmp_path, capsys):
    capsys.readouterr()
    return shutil.copytree(whole, tmp_path / "run")


def refused(capsys, *args, code=1):
    """Return what was said, after checking how it was said."""
    found, out, err = call(capsys, *args)
    assert found == code, err
    assert out == ""
    assert err.startswith("baffle: ")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_format_version(run, capsys, version):
    """The version stands twice, in the header and in a sealed row: one of both is damage."""
    from baffle.ledger.chain import meta_seal, number

    database = sqlite3.connect(run / "ledger.db")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    assert "header" in refused(capsys, "verify", run, "--json")
    new = number(version)
    database.execute(
        "UPDATE meta SET value = ?, seal = ? WHERE key = 'format'", (new, meta_seal("format", new))
    )
    database.commit()
    database.close()
    for command in COMMANDS:
        said = refused(capsys, command, run, "--json")
        assert f"ledger format {version} and this baffle knows format 1" in said
        assert ("upgrade" in said) == (version > 1)


def test_a_snapshots_byte(run, capsys):
    (newest,) = (run / "snapshots").iterdir()
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    for command in COMMANDS:
        assert "snapshot 0" in refused(capsys, command, run, "--json")


@pytest.mark.parametrize("command", ["resume", "replay", "evaluate"])
def test_a_rounds_byte_is_seen_by_every_command(run, capsys, command):
    database = sqlite3.connect(run / "ledger.db")
    (outcome,) = database.execute("SELECT outcome FROM rounds WHERE round = 2").fetchone()
    changed = outcome[:-1] + bytes([outcome[-1] ^ 128])
    database.execute("UPDATE rounds SET outcome = ? WHERE round = 2", (changed,))
    database.commit()
    database.close()
    assert "round 2" in refused(capsys, command, run, "--json")


def test_a_database_that_is_none(run, capsys):
    for content in (b"", b"hello" * 1000, (run / "ledger.db").read_bytes()[:5000]):
        for left in run.glob("ledger.db*"):
            left.unlink()
        (run / "ledger.db").write_bytes(content)
        for command in COMMANDS:
            refused(capsys, command, run, "--json")


@pytest.mark.parametrize("round", [-1, 7])
@pytest.mark.parametrize("command", ["replay", "evaluate"])
def test_a_round_out_of_range(run, capsys, command, round):
    said = refused(capsys, command, run, "--round", round, "--json", code=2)
    assert "0 to 6" in said
    assert f"got {round}" in said


def test_weights_that_cannot_be_written(run, capsys, tmp_path):
    out = tmp_path / "none" / "w.safetensors"
    assert str(out) in refused(capsys, "replay", run, "--out", out, "--json", code=2)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--set", "=3"], "--set wants SECTION.KEY=VALUE, got '=3'"),
        (["--set", "model.options.widths=[3]"], "model.options.widths is no setting"),
        (["--set", "data.options=3"], "data.options must be"),
        (["--set", "data.options={size=3}"], "got an unknown size"),
        (["--set", "algorithm=[1]"], "algorithm must be one of"),
        (["--key", "-1"], "key must be greater than or equal to 0"),
        (["--clients", "5000"], "between 1 and 1442 clients"),
        (["--set", "federation.clients=many"], "federation.clients must be a valid integer"),
        (["--set", "data.partition=fair"], "expected a partition among"),
    ],
)
def test_settings_of_the_wrong_form(capsys, args, said):
    assert said in refused(capsys, "run", "--step-size", 0.1, "--json", *args, code=2)


@pytest.mark.parametrize(
    "options", ["{alpha='wide'}", "{alpha=[1]}", "{min_rows='all'}", "{alpha=0.1, min_rows=[2]}"]
)
def test_partition_options_of_the_wrong_type(capsys, options):
    refused(capsys, "run", "--json", "--set", f"data.partition_options={options}", code=2)


@pytest.mark.parametrize("options", ["{widths='wide'}", "{widths=3}", "{widths=[0.5]}"])
def test_model_options_of_the_wrong_type(capsys, options):
    refused(capsys, "run", "--json", "--set", f"model.options={options}", code=2)


def test_a_folder_in_place_of_its_configuration(run, capsys):
    assert "cannot be read" in refused(capsys, "run", run, code=2)


def test_a_run_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    refused(capsys, "run", *FAST, "--json", "--out", tmp_path / "file")


def test_wrong_usage_is_explained_without_a_traceback(capsys):
    for args in (["run", "a.toml", "b.toml"], ["trian"], ["run", "--rounds", "many"], ["verify"]):
        code, out, err = call(capsys, *args)
        assert (code, out) == (2, "")
        assert "Usage" in err
        assert "Traceback" not in err
