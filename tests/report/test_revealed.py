"""What a run revealed to whom, in the words that its settings and rounds give."""

from pathlib import Path

from baffle.config import resolve
from baffle.report.revealed import NOBODY, revealed
from baffle.report.runs import Run

SECURE = {"secure": {"sums": True}}


def told(*sections, rows=({"round": 1, "reports": 9, "smallest_sum": 9, "groups": 1},)):
    return revealed(Run(Path("run"), resolve(*sections), list(rows)))


def test_in_the_clear_the_server_has_every_report():
    found = told(rows=[{"round": 1, "reports": 4, "smallest_sum": 1, "groups": 1}])
    assert found.server.startswith("every report: 128 integers a round")
    assert found.promise == NOBODY
    assert "anything within 16 bits a direction; nothing else bounds what it does" in found.hostile


def test_of_secure_sums_the_smallest_that_was_opened_counts():
    rows = [
        {"round": 1, "reports": 0, "smallest_sum": 0, "groups": 2},  # abandoned
        {"round": 2, "reports": 19, "smallest_sum": 9, "groups": 2},
        {"round": 3, "reports": 20, "smallest_sum": 10, "groups": 2},
    ]
    found = told(SECURE, rows=rows)
    assert "2 sums a round of 128 integers" in found.server
    assert "the smallest over 9 clients" in found.server
    assert "sums over 9 clients or more" in found.clients  # of 19 in two groups
    assert "any integers that fit into the sum" in found.hostile


def test_clients_see_the_sums_of_groups_that_have_directions_of_their_own():
    row = {"round": 1, "reports": 12, "smallest_sum": 1, "groups": 4}
    assert "sums over 3 clients or more" in told(rows=[row]).clients
    alone = told(rows=[{**row, "groups": 12}])
    assert "each round's integers of single clients" in alone.clients
    shared = {"groups": {"number": 4, "directions": "shared"}}
    assert "sums over 12 clients or more" in told(shared, rows=[row]).clients


def test_what_is_not_known_is_not_called_nothing():
    assert "is not known" in told(SECURE, rows=[{"round": 1, "reports": 9}]).server
    none = told(SECURE, rows=[{"round": 1, "reports": 0, "smallest_sum": 0}])
    assert none.server == "no sum was opened; who was asked"
    assert told(SECURE, rows=[]).server == "no sum was opened; who was asked"


def test_a_large_sum_says_what_is_not_proved_of_it():
    large = told(SECURE, rows=[{"round": 1, "reports": 900, "smallest_sum": 900, "groups": 1}])
    assert "deal clients to groups" in large.server


def test_what_was_promised_and_spent_is_said_with_its_unit():
    private = {**SECURE, "privacy": {"unit": "example", "epsilon": 4.0}}
    row = {"round": 1, "reports": 9, "smallest_sum": 9, "epsilon": 1.25}
    assert "(1.25, 1e-05)-differential privacy for one example" in told(private, rows=[row]).promise
    assert "of a budget of ε = 4" in told(private, rows=[row]).promise
    assert "no round yet" in told(private, rows=[]).promise


def test_simulated_liars_and_rules_are_named():
    found = told({"hostile": {"share": 0.2}, "robust": {"rule": "median"}})
    assert "20% of the clients did, by sign_flip; median bounds it" in found.hostile
