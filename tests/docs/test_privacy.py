"""docs/privacy.md: its tables are the code's, its tests exist, its settings run or are refused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from baffle.aggregation.rules import RULES, make_rule
from baffle.algorithms.policy import headroom
from baffle.config import resolve
from baffle.config.settings import ATTACKS as CONFIGURED
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import first_plan, genesis, policy, with_noise
from baffle.drivers.local.hostile import ATTACKS
from baffle.errors import ConfigError
from baffle.privacy import Sensitivity, epsilon
from baffle.quantisation import Quantiser
from baffle.secagg import SecureSpec, parameters
from tests.protections.cells import CLIENTS, cells
from tools import privacy

ROOT = Path(__file__).parents[2]
SECAGG = ROOT / "src" / "baffle" / "secagg"
PAGE = privacy.PAGE.read_text(encoding="utf-8")
OFF = (-0.0061, 0.0051)  # two digits are shown, and noise is found on a grid of 2^-10
SIGNATURE = ModelSignature((TensorSpec("w", (10, 64)), TensorSpec("b", (10,))))
BLOCKS = re.findall(r"\*\*([^*]+)\*\*[^\n]*\n\n```toml\n(.*?)```", PAGE, re.DOTALL)
NAMED = re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)


def table(head: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose head begins so."""
    rows = PAGE[PAGE.index(head) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


# --- tables made from code


QUICK = {name: make for name, make in privacy.TABLES.items() if name != "noise"}


def test_the_tables_are_what_the_code_says(monkeypatch):
    monkeypatch.setattr(privacy, "TABLES", QUICK)
    assert privacy.main(check=True) == 0


def test_the_noise_of_a_budget_keeps_it_and_a_little_less_does_not():
    """As `tools/privacy.py` makes the table, without its search."""
    rows = table("| rounds of one client |")
    assert len(rows) == 3
    for rounds, *cells_ in rows:
        for budget, cell in zip((8, 4, 2, 1), cells_, strict=True):
            for z, sampling in zip(map(float, cell.split(" / ")), (None, 0.01), strict=True):
                spent = [epsilon(z + d, int(rounds.replace(",", "")), 1e-5, sampling) for d in OFF]
                assert spent[0] > budget >= spent[1]


def test_the_numbers_are_those_that_a_group_describes_itself_by():
    for members, k, t, least, colluders, chance, one_list, _ in table("| clients n |"):
        said = parameters(int(members.replace(",", "")), SecureSpec()).describe()
        assert f"{k} neighbours each, any {t} of whom" in said
        assert f"up to {colluders} colluding" in said
        assert f"sums of {least} or more are opened" in said
        assert (chance == "0") == ("chance" not in said)
        assert (one_list == "yes") == ("not held to one list" not in said)


def test_a_changed_table_is_noticed(monkeypatch, tmp_path, capsys):
    changed = tmp_path / "privacy.md"
    changed.write_text(PAGE.replace("| 100 | 42 | 32 |", "| 100 | 42 | 31 |"), encoding="utf-8")
    monkeypatch.setattr(privacy, "PAGE", changed)
    monkeypatch.setattr(privacy, "TABLES", {"numbers": privacy.numbers})
    assert privacy.main(check=True) == 1
    assert "run python tools/privacy.py" in capsys.readouterr().out


def test_figures_in_sentences():
    assert (headroom(16), headroom(2)) == (8, 2.5)
    for bits in (5, 8, 16, 24):
        parts = Sensitivity(Quantiser(bits, 0).limit)
        assert parts.squared <= (1.04 * parts.values) ** 2
    assert pytest.approx(0.5, abs=0.02) == (1 - 0.05) ** (0.69 / 0.05)


# --- tests and pages that it names


def test_each_test_that_it_names_is_there():
    assert len(NAMED) > 60
    for file, name in NAMED:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"\ndef {name}(" in source, f"{file}: no {name}"


def test_what_it_points_to_is_there():
    for target, _, anchor in re.findall(r"\]\(([^)#]*)(#?)([^)]*)\)", PAGE):
        file = (privacy.PAGE.parent / target) if target else privacy.PAGE
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{target}#{anchor}"


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_it_names_every_refusal_of_a_secure_sum():
    source = "".join(f.read_text(encoding="utf-8") for f in SECAGG.glob("*.py"))
    raised = set(re.findall(r'(?:Refused\(|refuse\([\w -]+,)\s*"(\w+)"', source))
    rows = table("| message | what the receiver refuses")
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[1])} == raised


def test_it_names_every_rule_and_every_attack():
    assert {row[0].strip("`") for row in table("| rule | result")} == RULES.keys()
    attacks = PAGE.partition("Simulated attacks are ")[2].partition("\n")[0]
    assert set(re.findall(r"`(\w+)`", attacks)) == ATTACKS.keys() == set(CONFIGURED)


@pytest.mark.parametrize("row", table("| rule | result"), ids=lambda row: row[0])
def test_the_least_reports_of_a_rule(row):
    rule = make_rule(row[0].strip("`"))
    for n in (3, 7, 20, 55):
        assert rule.least(n) == eval_least(row[3], rule.withstands(n))


def eval_least(text: str, hostile: int) -> int:
    """Return what `2f + 3` or a number says."""
    return 2 * hostile + 3 if "f" in text else int(text)


# --- settings


@pytest.mark.parametrize(("name", "text"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_a_shown_configuration_can_run(name, text):
    settings = with_noise(resolve({"update": {"step_size": 0.01}}, tomllib.loads(text)))
    agreed = genesis(settings, SIGNATURE, bytes(32))
    assert policy(settings, SIGNATURE).first.count == settings.probe.num_directions
    assert (agreed.secure is not None) == settings.secure.sums
    assert (agreed.privacy is not None) == (settings.privacy.unit != "none")


def test_every_toml_block_is_one_of_them():
    assert len(BLOCKS) == PAGE.count("```toml")
    assert len(BLOCKS) >= 7


def says(cell: str, value: str) -> bool:
    return cell == "any" or value in cell.split(", ")


def fits(row: list[str], cell) -> bool:
    """Return whether a row of the table of combinations is about a cell."""
    secure, groups, noise, rule, weights, steps = row[:6]
    known = (
        says(secure, "yes" if cell.secure else "no")
        and says(groups, cell.groups)
        and says(noise, cell.unit)
        and says(weights, cell.weighting)
        and says(steps, str(cell.steps))
    )
    return known and (rule in ("any", kind(cell)) or (rule.endswith("too few rows") and few(cell)))


def kind(cell) -> str:
    return "sum" if cell.rule == "sum" else "robust"


def few(cell) -> bool:
    """Return whether a rule gets fewer rows than it needs: reports of a group, or groups."""
    count = {"one": 1, "own": 3, "shared": 4}[cell.groups]
    rows = count if cell.secure else CLIENTS // count
    return kind(cell) == "robust" and rows < make_rule(cell.rule).least(rows)


def test_the_table_says_what_becomes_of_each_combination():
    rows = table("| secure sums | groups |")
    for cell in cells():
        said = next(row for row in rows if fits(row, cell))[6]
        if cell.refusal is None:
            assert said.startswith("runs: "), cell
        else:
            assert said.startswith("refused: "), cell
            assert cell.refusal in said, cell


REFUSED = {
    "update.step_size": {
        "secure": {"sums": True}, "privacy": {"unit": "client"}, "update": {"step_size": "auto"},
    },
    "probe.batch": {
        "secure": {"sums": True}, "privacy": {"unit": "example"}, "probe": {"batch": 0},
    },
    "hostile.share": {
        "secure": {"sums": True}, "privacy": {"unit": "example"}, "hostile": {"share": 0.2},
    },
    "secure.min_group": {"secure": {"sums": True, "min_group": 11}},
    "more groups": {"groups": {"number": 4, "least": 3}},
    "too few levels": {
        "secure": {"sums": True}, "privacy": {"unit": "client"}, "quantisation": {"bits": 5},
    },
}  # fmt: skip
BASE = {"federation": {"participation": 1.0}, "update": {"step_size": 0.01}}


@pytest.mark.parametrize("row", table("| settings | reason |"), ids=lambda row: row[0])
def test_what_else_is_refused(row):
    (name,) = [name for name in REFUSED if name in row[0]]
    with pytest.raises(ConfigError, match=re.escape(row[1])):
        first_plan(resolve(BASE, REFUSED[name]), SIGNATURE)


def test_each_of_them_is_in_the_table():
    assert len(table("| settings | reason |")) == len(REFUSED)
