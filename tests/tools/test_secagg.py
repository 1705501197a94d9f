"""Our secure sums beside Flower's: both sums are right, and both are timed."""

import json

import pytest

from baffle.bench.secagg import group_of
from tools.performance import FIGURES
from tools.secagg import against_flower
from tools.secagg.against_flower import BITS, CASES, Case, compare, ours


@pytest.mark.parametrize("first", [True, False])
def test_our_side_is_exact_and_takes_time(first):
    clients, server, exact = ours(group_of(4, 5, BITS), frozenset(), first)
    assert exact
    assert clients > 0
    assert server > 0


def test_flower_gets_as_many_neighbours_and_the_same_threshold():
    assert Case(3, 64).flower_shares == (3, 2)
    assert Case(30, 64).flower_shares[0] == 30
    assert Case(30, 64, shares=(3, 2)).flower_shares == (3, 2)


def test_the_measured_file_has_every_case_and_every_sum_was_right():
    value = json.loads((FIGURES / "secagg_flower.json").read_text(encoding="utf-8"))
    rows = value["rows"]
    measured = [(r["clients"], r["directions"], r["gone"]) for r in rows]
    assert measured == [(c.clients, c.directions, c.gone) for c in CASES]
    assert all(row[side]["exact"] for row in rows for side in against_flower.SIDES)
    for row in rows:
        assert row["ratio"] == pytest.approx(row["flower"]["seconds"] / row["ours"]["seconds"])
        assert {"flwr", "cryptography", "pycryptodome"} == set(row["versions"])


@pytest.mark.flower
@pytest.mark.parametrize("gone", [0, 1])
def test_both_sides_find_the_plain_sum(gone):
    row = compare(Case(10, 5, gone=gone, repeats=1))
    assert all(row[side]["exact"] for side in against_flower.SIDES)
    assert row["flower"]["neighbours"] == row["ours"]["neighbours"] == 9
    assert row["flower"]["threshold"] == row["ours"]["threshold"]
    assert row["ratio"] > 0


@pytest.mark.flower
def test_flowers_ring_of_three_shares_has_two_neighbours_each():
    from tools.secagg.flower import Shape

    near = Shape(9, 3, 2, BITS).neighbours()
    assert {len(who) for who in near.values()} == {3}
    assert all(member in who for member, who in near.items())


@pytest.mark.flower
def test_a_wrong_sum_ends_with_one(tmp_path, monkeypatch, capsys):
    def flowers(*_):
        return 1.0, 1.0, False

    monkeypatch.setattr(against_flower, "CASES", (Case(4, 5, repeats=1),))
    monkeypatch.setattr(against_flower, "flowers", flowers)
    file = tmp_path / "figures.json"
    assert against_flower.main(["--output", str(file)]) == 1
    assert json.loads(file.read_text())["complete"]
    assert "n 4, K 5" in capsys.readouterr().out
