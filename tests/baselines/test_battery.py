"""Every registered baseline: it learns, repeats, counts its costs, works with one client."""

import json

import numpy as np
import pytest

from baffle.algorithms import ALGORITHMS
from baffle.baselines import BASELINES, Knobs, row_of
from baffle.errors import ConfigError
from tests.baselines.small import BATCH, CLIENTS, NAMES, ROUNDS, STEPS, finished, settings

ENTRIES = 8  # of the small task's model
K, H = 8, 2


def costs(name):
    """Of one client's round: probes, passes over B, differentiated examples over B, numbers up."""
    return {
        "fedsgd": (1, 1, 1, ENTRIES),
        "fedavg": (H, H, H, ENTRIES),
        "fedavg-checkpointed": (H, H, H, ENTRIES),  # a model of one piece: none is computed twice
        "forward-gradient": (K, K, K, K),
        "fedzo": (H * (K + 1), H * (K + 1), 0, ENTRIES),
        "es": (2 * K, 2 * K, 0, 2 * K),
        "baffle-reference": (K + 1, K + 1, 0, K),
    }[name]


def local(name):
    return {"probe": {"num_local_steps": H}} if row_of(name).steps == "clients" else {}


def test_every_baseline_is_in_the_battery():
    assert set(NAMES) == set(STEPS) == set(BASELINES)
    assert not set(BASELINES) & set(ALGORITHMS)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_with_one_client_and_with_several(tmp_path, name):
    for clients in (1, 2):
        session = finished(tmp_path / str(clients), name, local(name), clients=clients)
        losses = [row["loss"] for row in session.log.rows]
        assert len(losses) == ROUNDS
        assert np.mean(losses[-3:]) < 0.7 * losses[0]
        assert session.evaluate()["test_accuracy"] > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_the_same_key_gives_the_same_bits_and_another_key_others(tmp_path, name):
    short = {"rounds": 2}
    found = [
        finished(tmp_path / str(i), name, local(name), short, {"key": key}).state.digest()
        for i, key in enumerate((5, 5, 6))
    ]
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize("name", NAMES)
def test_costs_are_what_the_formula_says(tmp_path, name):
    rounds = 3
    session = finished(tmp_path, name, local(name), {"rounds": rounds})
    probes, passes, gradients, numbers = costs(name)
    row, asked = session.log.rows[-1], CLIENTS * rounds
    assert row["probes"] == asked * probes
    assert row["example_evaluations"] == asked * passes * BATCH
    assert row["gradient_examples"] == asked * gradients * BATCH
    assert row["bytes_up"] == asked * 4 * numbers
    assert row["bytes_up_per_report"] == 4 * numbers
    # A client gets the weights, unless the last round's answers are fewer numbers and tell it more.
    slots = session.state.numpy()
    state = 4 * ENTRIES * sum(slot != "ema" for slot in slots)
    first, later = 4 * ENTRIES, 4 * ENTRIES
    if session.clients.baseline.follows:
        first, later = state, 4 * min(CLIENTS * numbers, ENTRIES)
    assert row["bytes_down"] == CLIENTS * (first + (rounds - 1) * min(first, later))


@pytest.mark.parametrize("name", NAMES)
def test_a_cohort_of_some_with_faults_runs(tmp_path, name):
    faults = {"federation": {"participation": 0.7, "dropout": 0.3, "slow": 0.3}, "rounds": 4}
    session = finished(tmp_path, name, local(name), faults)
    rows = session.log.rows
    assert all(row["asked"] == 2 for row in rows)
    assert any(row["abandoned"] for row in rows) or any(row["reports"] < 2 for row in rows)
    assert session.state.updates == sum(not row["abandoned"] for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_its_choices_are_settings_and_its_module_is_there(name):
    chosen = settings(name)
    assert chosen.algorithm == name
    assert row_of(name).make(Knobs()).knobs == Knobs()
    text = json.dumps(chosen.model_dump(mode="json"))
    assert json.loads(text)["update"]["normalised"] is False


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="fedsgd, fedavg"):
        row_of("magic")
