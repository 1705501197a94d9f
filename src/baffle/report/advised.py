"""An advice as people and machines read it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from baffle.report.units import bytes_text, number_text

if TYPE_CHECKING:
    from baffle.bench.advise.rule import Advice, Verdict

HEADS = ("way", "rounds", "K × B", "up", "down", "s a round", "memory", "hours", "")
MIB = 2**20


def rows(advice: Advice) -> list[list[str]]:
    """Return the table: a row a way, costs a client; for training K is the local steps H."""
    return [_row(v, v is advice.best) for v in advice.verdicts]


def sizes(advice: Advice) -> list[int]:
    """Return the numbers of trained weights that were considered, each once."""
    return list(dict.fromkeys(v.cost.measured.dimension for v in advice.verdicts))


def _row(verdict: Verdict, best: bool) -> list[str]:
    cost = verdict.cost
    s, said = cost.schedule, verdict.why_not or ("use this" if best else "fits")
    if not cost.measured.possible:
        return [verdict.name, *["–"] * (len(HEADS) - 2), said]
    return [
        verdict.name,
        f"{s.rounds:,}",
        f"{s.units:,} × {s.batch}",
        bytes_text(cost.up),
        bytes_text(cost.down),
        number_text(cost.seconds),
        f"{cost.memory / MIB:.0f} MiB",
        number_text(cost.hours),
        said,
    ]


def sentence(advice: Advice) -> str:
    """Return the advice in a sentence."""
    if advice.best is None:
        return "Nothing that was measured can run on this device."
    v, s = advice.best, advice.best.cost.schedule
    how = "directions" if v.cost.measured.probes else "local steps"
    picked = f", picked among {s.candidates} (probe.candidates = auto)" if s.candidates else ""
    thousand = 1000 * v.cost.hours / max(1, s.rounds)
    return (
        f"Use {v.name}: {s.units:,} {how} a round on {s.batch} examples each{picked}, "
        f"{bytes_text(v.cost.up)} up a round, {v.cost.memory / MIB:.0f} MiB at the peak, "
        f"{number_text(thousand)} h for 1,000 rounds of the run."
    )


def basis(advice: Advice) -> str:
    """Return on what the numbers rest."""
    from baffle.bench.advise.learning import EVALUATIONS, PASSES, expected_cosine, uncertainty

    probing = [v.cost for v in advice.verdicts if v.cost.measured.probes]
    factor = max((uncertainty(c.measured.dimension) for c in probing), default=1.0)
    text = (
        "Seconds, memory and bytes are measured here and scaled. Rounds are an order of magnitude: "
        f"training takes about {PASSES:g} passes over all examples, probes {EVALUATIONS:g} times "
        f"as many evaluations, by runs on the digits, and may be off by a factor of {factor:.2g}."
    )
    if probing:
        cost = probing[0]
        cosine = expected_cosine(cost.schedule.units, cost.measured.dimension)
        text += f" Expected cosine of an estimate: {cosine:.2g}."
    if len(sizes(advice)) > 1:
        text += " Parts of the model are compared as if each could learn the task, which takes "
        text += "pretrained weights."
    return text


def as_json(advice: Advice, model: str) -> dict[str, Any]:
    """Return the advice for machines; memory in bytes, times in seconds and hours."""
    return {
        "model": model,
        "advice": advice.best.name if advice.best else None,
        "way": advice.best.cost.measured.way if advice.best else None,
        "trained": advice.best.cost.measured.trained if advice.best else None,
        "sure": advice.sure,
        "changes": list(advice.changes),
        "basis": basis(advice),
        "options": [
            {"name": v.name, "fits": not v.why_not, "why_not": v.why_not, **asdict(v.cost)}
            for v in advice.verdicts
        ],
    }
