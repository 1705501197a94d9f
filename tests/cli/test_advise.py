"""`baffle advise` on the command line."""

import pytest

from baffle.bench.advise import asking
from baffle.bench.advise.costs import MIB, Measured
from tests.cli.run_cli import call, last_json


@pytest.fixture
def _measured(monkeypatch):
    """Figures that nobody measured, so that no process is needed."""

    def ask(names, question, say):
        say("measuring")
        ways = {"fedavg": 300, "fedavg-checkpointed": 270, "baffle": 250, "baffle-low-memory": 240}
        found = [
            Measured(way, n.trained, 650, 0.1, 0.01, peak * MIB, 0.0)
            for n in names
            for way, peak in ways.items()
        ]
        return question.answer(found)

    monkeypatch.setattr(asking, "ask", ask)


@pytest.mark.usefixtures("_measured")
def test_the_table_the_advice_and_what_would_change_it(capsys):
    code, out, err = call(
        capsys, "advise", "linear", "--data", "digits", "--device-memory", "260MiB"
    )
    assert (code, "measuring" in err) == (0, True)
    assert "Use BAFFLE" in out
    assert "650 weights trained by 10 clients" in out
    assert "with at least 270 MiB" in out
    assert "factor of 3" in out


@pytest.mark.usefixtures("_measured")
def test_json_is_the_last_line(capsys):
    args = ("linear", "--inference-only", "--trained", "all,head", "--clients", 100, "--json")
    code, out, _ = call(capsys, "advise", *args, "--runtime", "10MiB")
    value = last_json(out)
    assert (code, value["way"], value["trained"]) == (0, "baffle-low-memory", "all")
    assert len(value["options"]) == 8
    assert [o["fits"] for o in value["options"]] == [False, False, True, True] * 2
    assert value["options"][2]["schedule"]["units"] > 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("lenot",), "lenot"),
        (("linear", "--device-memory", "much"), "--device-memory"),
        (("linear", "--device-speed", 0), "speed"),
        (("linear", "--data", "digits", "--in-shape", "3"), "--in-shape"),
        (("linear", "--trained", "tail"), "trained part"),
        (("linear", "--participation", 2), "participation"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(capsys, args, said):
    code, _, err = call(capsys, "advise", *args)
    assert code == 2
    assert said in err


@pytest.mark.slow
def test_the_whole_of_it(capsys):
    code, out, _ = call(capsys, "advise", "linear", "--seconds", 0.05, "--json")
    assert code == 0
    assert last_json(out)["way"]
