"""Settings: who wins, the file that a run writes of itself, and what a mistake is told."""

import tomllib

import pytest
from pydantic import BaseModel

from baffle.algorithms import ALGORITHMS
from baffle.config import Settings, candidates_of, load_config, resolve, to_toml
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import first_plan
from baffle.errors import BoundError, ConfigError

SIGNATURE = ModelSignature((TensorSpec("w", (4, 3)),))
SECTIONS = [n for n, f in Settings.model_fields.items() if isinstance(f.default, BaseModel)]


def test_later_words_win_defaults_algorithm_file_options():
    assert resolve().quantisation.bits == 16
    assert resolve().update.average == 0.98  # the algorithm over the general default of 0
    paper = {"algorithm": "baffle-paper"}
    assert resolve(paper).probe.estimator == "forward"
    assert resolve(paper).federation.clients == 10  # not among its choices
    file = {**paper, "update": {"l2": 0.25, "average": 0.5}, "rounds": 7}
    assert resolve(file).update.l2 == 0.25
    assert resolve(file).update.beta1 == 0.9  # its neighbours keep the algorithm's choice
    options = resolve(file, {"update": {"average": 0.75}}, {"rounds": 9}, {"rounds": 11})
    assert (options.update.l2, options.update.average, options.rounds) == (0.25, 0.75, 11)
    assert resolve(file, {"algorithm": "baffle"}).probe.estimator == "auto"


def test_options_tables_are_replaced_as_a_whole():
    file = {"data": {"partition_options": {"alpha": 0.1}}}
    settings = resolve(file, {"data": {"partition_options": {"rows_per_client": 5}}})
    assert settings.data.partition_options == {"rows_per_client": 5}


def test_layers_are_left_as_they_were():
    file = {"probe": {"batch": 4}}
    resolve(file, {"probe": {"batch": 8, "pairs": 3}})
    assert file == {"probe": {"batch": 4}}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_of_every_section_is_in_the_file_and_explained(name):
    text = to_toml(resolve())
    section = getattr(resolve(), name)
    assert set(tomllib.loads(text)[name]) == set(type(section).model_fields)
    for key, field in type(section).model_fields.items():
        assert field.description, key
        assert f"  # {field.description}\n" in text


@pytest.mark.parametrize(
    "given",
    [
        *({"algorithm": name} for name in ALGORITHMS),
        {"key": 2**63 - 1, "update": {"step_size": 0.1, "epsilon": 5e-324, "l2": 1 / 3}},
        {"probe": {"radius": 2.0**-13}, "quantisation": {"step": "auto"}},
        {"data": {"root": 'C:\\ä "b"\n#', "partition_options": {}}},
        {"model": {"options": {"widths": [16, 8], "activation": "relu", "odd key.": True}}},
        {"data": {"options": {"names": {"x": "image", "y": {"z": [1, {"w": 2.5}]}}, "n": []}}},
    ],
)
def test_the_file_says_all_of_it(given, tmp_path):
    settings = resolve(given)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(settings), encoding="utf-8")
    assert resolve(load_config(path)) == settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"probes": {"batch": 1}}, "probes is no setting; the top level knows algorithm, key"),
        ({"probe": {"bits": 8}}, "probe.bits is no setting; [probe] knows directions, density"),
        ({"probe": 3}, "probe must be"),
        ({"rounds": 0}, "rounds must be greater than or equal to 1, got 0"),
        ({"rounds": "many"}, "rounds must be a valid integer"),
        ({"key": -1}, "key must be greater than or equal to 0, got -1"),
        ({"probe": {"radius": 0}}, "probe.radius must be greater than 0, got 0"),
        ({"probe": {"radius": "wide"}}, "probe.radius must be"),
        ({"update": {"step_size": float("nan")}}, "update.step_size must be a finite number"),
        ({"update": {"schedule": "steep"}}, "must be one of constant, cosine, linear, got 'steep'"),
        ({"federation": {"dropout": 1.0}}, "federation.dropout must be less than 1, got 1.0"),
        ({"federation": {"weight_cap": 2**32}}, "federation.weight_cap must be less than"),
        (
            {"algorithm": "magic"},
            "algorithm must be one of baffle, baffle-paper, mezo, decomfl, fedsgd",
        ),
        ({"algorithm": ["baffle"]}, "algorithm must be one of baffle, baffle-paper"),
    ],
)
def test_a_mistake_is_told_by_key_range_and_value(given, said):
    with pytest.raises(ConfigError) as refused:
        resolve(given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_mistakes_are_told_at_once():
    with pytest.raises(ConfigError, match=r"rounds .*; probe\.batch "):
        resolve({"rounds": 0, "probe": {"batch": -1}})


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        resolve().rounds = 3


def test_a_file_that_cannot_be_read(tmp_path):
    for path, content in (("a.toml", b"rounds = = 3"), ("b.toml", b"\xff\xfe")):
        (tmp_path / path).write_bytes(content)
        with pytest.raises(ConfigError, match=f"{path} is not TOML"):
            load_config(tmp_path / path)
    with pytest.raises(ConfigError, match="found none"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="expected a configuration file"):
        load_config(tmp_path)  # a run folder in place of its config.toml


@pytest.mark.parametrize(
    ("given", "product"),
    [
        (
            {"federation": {"weighting": "examples", "weight_cap": 2**32 - 1, "clients": 10**6},
             "quantisation": {"bits": 24}, "probe": {"num_directions": 512}},
            500_000 * (2**32 - 1) * (2**23 - 1) * 512,
        ),
        (
            {"federation": {"clients": 2**32 - 1, "cohort": 2**32 - 1},
             "quantisation": {"bits": 24}, "probe": {"num_directions": 512}},
            (2**32 - 1) * (2**23 - 1) * 512,
        ),
        (
            {"federation": {"clients": 2**20, "cohort": 2**20},
             "quantisation": {"bits": 24}, "probe": {"directions": "gaussian",
             "num_directions": 2**16, "num_local_steps": 4096}},
            2**20 * (2**23 - 1) * 2**16 * 4096,
        ),
    ],
    ids=["weight_cap", "cohort", "gaussian"],
)  # fmt: skip
def test_sums_that_could_leave_64_bits_are_refused_with_the_arithmetic(given, product):
    settings = resolve({"data": {"partition": "sampled", "partition_options": {}}}, given)
    with pytest.raises(BoundError) as refused:
        first_plan(settings, SIGNATURE)
    said, p = str(refused.value), settings.probe
    left, _, rest = said.partition(" = ")
    factors = [int(word) for word in left.replace("^", " ").split() if word.isdigit()]
    peak = factors[-1]
    assert int(rest.split(",")[0]) == product * peak >= 2**63
    for part in (
        f"{p.num_directions} directions",
        f"{p.num_local_steps} local steps",
        "24 bits",
        f"largest entry of {p.directions}",
        "not below 2^63 = 9223372036854775808",
    ):
        assert part in said


def test_a_cap_costs_nothing_where_clients_weigh_alike():
    first_plan(resolve({"federation": {"weight_cap": 2**32 - 1}}), SIGNATURE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"probe": {"pairs": 1}}, "at least 2 antithetic pairs"),
        ({"probe": {"radius": 1e-40}}, "probe.radius must lie within 2^±100"),
        ({"quantisation": {"step": 1e-50}}, "quantisation.step must lie within 2^±126"),
        ({"federation": {"cohort": 11}}, "cohort must lie in 0 to the number of clients, 10"),
    ],
)
def test_settings_that_do_not_go_together(given, said):
    with pytest.raises(ConfigError) as refused:
        first_plan(resolve(given), SIGNATURE)
    assert said in str(refused.value)


def test_who_sets_a_batch_draws_it_evenly_unless_candidates_are_asked_for() -> None:
    """So a complete configuration or genesis of an earlier version means what it meant."""
    assert resolve().probe.candidates == "auto"
    assert resolve({"probe": {"num_directions": 9}}).probe.candidates == "auto"
    assert resolve({"probe": {"batch": 4}}).probe.candidates == 0
    asked = {"probe": {"batch": 4, "candidates": "auto"}}
    assert candidates_of(resolve(asked)) == 16
    assert candidates_of(resolve(asked, {"privacy": PRIVATE})) == 0
    assert resolve({"algorithm": "baffle-paper"}).probe.candidates == 0


PRIVATE = {"unit": "example"}
