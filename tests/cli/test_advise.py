"""`baffle advise` on the command line."""

import pytest

from baffle.bench.advise import among, asking
from baffle.bench.advise.costs import MIB, Measured
from baffle.bench.advise.short_run import Learned
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


@pytest.fixture
def _learned(monkeypatch):
    """What short runs came to that nobody made: fewer weights, less loss."""

    def learn(model, run, say):
        say("training")
        loss = sum(p.numel() for p in model.parameters()) / 10_000
        return Learned({0.04: loss}, run.schedule, int(run.evaluations))

    monkeypatch.setattr(among, "learn", learn)


SEVERAL = ("mlp,linear,convnet", "--data", "digits")


@pytest.mark.usefixtures("_measured", "_learned")
def test_of_several_models_the_one_that_learned_most_is_advised_on(capsys):
    code, out, err = call(capsys, "advise", *SEVERAL, "--evaluations", "30k", "--key", 3)
    assert (code, "mlp: training" in err) == (0, True)
    assert "Take linear" in out
    assert "convnet: expected rows of shape" in out
    assert "Use BAFFLE" in out or "Use FedAvg" in out


@pytest.mark.usefixtures("_measured", "_learned")
def test_several_models_are_one_json_object(capsys):
    code, out, _ = call(capsys, "advise", *SEVERAL, "--max-weights", 700, "--json")
    value = last_json(out)
    assert (code, len(out.splitlines()), value["model"]) == (0, 1, "linear")
    assert [m["model"] for m in value["models"]] == ["mlp", "linear", "convnet"]
    assert value["models"][0]["why_not"].startswith("more than the 700 weights")
    assert value["models"][1]["evaluations"] == 1_000_000
    assert value["advice"]["model"] == "linear"
    code, out, _ = call(capsys, "advise", *SEVERAL, "--no-costs", "--json")
    assert last_json(out)["advice"] is None


@pytest.mark.usefixtures("_learned")
def test_where_no_model_can_be_trained_the_command_fails(capsys):
    code, out, _ = call(capsys, "advise", "lenet5,convnet", "--data", "digits", "--json")
    assert (code, last_json(out)["model"]) == (1, None)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("linear,mlp",), "--data"),
        (("linear,lenot", "--data", "digits"), "lenot"),
        (("linear,mlp", "--data", "digits", "--evaluations", "lots"), "example evaluations"),
        (("linear,mlp", "--data", "digits", "--evaluations", "500"), "too few"),
        (("linear,mlp", "--data", "digits", "--trained", "all,head"), "one trained part"),
        (("linear,mlp", "--data", "digits", "--example", "math:pi"), "--example"),
        (("linear,mlp", "--data", "digits", "--max-weights", -1), "--max-weights"),
        (("linear", "--max-weights", 9), "--max-weights"),
        (("linear", "--no-costs"), "--no-costs"),
        ((",",), "expected a model"),
        (("linear", "--data-options", "size=28"), "expected --data"),
        (("linear", "--data", "digits", "--data-options", "size"), "NAME=VALUE"),
        (("linear", "--data", "digits", "--data-options", "size=28"), "size"),
    ],
)
def test_what_is_wrong_about_several_is_said(capsys, args, said):
    code, _, err = call(capsys, "advise", *args)
    assert code == 2
    assert said in err


@pytest.mark.slow
def test_a_real_choice(capsys):
    what = ("linear,mlp", "--data", "digits", "--clients", 2, "--evaluations", "20k")
    args = (*what, "--no-costs", "--json")
    code, out, _ = call(capsys, "advise", *args)
    found = last_json(out)
    assert (code, found["model"]) == (0, "linear")
    assert found["models"][0]["loss"] < found["guessing"]
