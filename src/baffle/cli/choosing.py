"""`baffle advise` on several models: which of them to train by probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baffle.errors import ConfigError

if TYPE_CHECKING:
    from baffle.bench.advise.choosing import Choice
    from baffle.bench.advise.learning import Federation
    from baffle.bench.advise.short_run import Say
    from baffle.data import Dataset

EVALUATIONS = "1M"


@dataclass(frozen=True)
class Asked:
    """What is said of choosing, as it was typed.

    Args:
        max_weights: the most trained weights; 0: any number.
        evaluations: of a run; "" for EVALUATIONS.
        key: run key; None for 0.
        costs: whether the usual advice on the chosen model follows.
    """

    max_weights: int = 0
    evaluations: str = ""
    key: int | None = None
    costs: bool = True

    def require_none(self) -> None:
        """Refuse it where there is one model.

        Raises:
            ConfigError: something of it was said.
        """
        given = {
            "--max-weights": self.max_weights != 0,
            "--evaluations": bool(self.evaluations),
            "--key": self.key is not None,
            "--no-costs": not self.costs,
        }
        for option, said in given.items():
            if said:
                raise ConfigError(
                    f"{option} is about choosing among models: expected several with commas "
                    "between, got one"
                )


def names_of(text: str) -> list[str]:
    """Return the models that are named, each once.

    Raises:
        ConfigError: none is.

    Example:
        >>> names_of("lenet, mlp,lenet,")
        ['lenet', 'mlp']
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"expected a model, or several with commas between, got {text!r}")
    return names


def choose(
    names: Sequence[str],
    data: Dataset | None,
    federation: Federation,
    trained: str,
    threads: int,
    asked: Asked,
    say: Say,
) -> Choice:
    """Train each model for a short while and return which to take.

    Raises:
        ConfigError: no data set, more than one trained part, or numbers out of range.
        ModelError: a name that is no model's.
    """
    from baffle.bench.advise.among import Limits, ask_among, makers
    from baffle.bench.advise.short_run import ShortRun
    from baffle.drivers.compare.resources import parse_budget

    if data is None:
        raise ConfigError("to choose among models each is trained: expected --data, got none")
    if "," in trained:
        raise ConfigError(f"expected one trained part with several models, got {trained!r}")
    evaluations = parse_budget(asked.evaluations or EVALUATIONS, "evaluations")
    engine = {"threads": threads}
    run = ShortRun(data, federation, evaluations, asked.key or 0, engine=engine)
    limits = Limits(asked.max_weights, trained)
    return ask_among(makers(names, run), run, limits, say)


def shown(choice: Choice) -> list[Any]:
    """Return table and sentences for people."""
    from rich.table import Table

    from baffle.report.advised_models import HEADS, KEY, basis, reasons, rows, sentence, sureness

    table = Table(box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, overflow="fold")
    for row in rows(choice):
        table.add_row(*row)
    table.caption, table.caption_justify = KEY, "left"
    said = [sentence(choice), sureness(choice), basis(choice)]
    return [table, "\n".join(["", *reasons(choice), *filter(None, said)])]
