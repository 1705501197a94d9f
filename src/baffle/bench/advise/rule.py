"""What to use: an explicit rule over costs. Numbers in, an advice out; nothing is measured here.

1. A device without gradients cannot train by back-propagation.
2. What needs more memory than the device has cannot run.
3. Of what is left, the fewest hours of computing and sending win; within a tenth of each other, the
   way that needs less memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from baffle.bench.advise.costs import MIB, Cost, Measured, cost_of
from baffle.bench.advise.device import Device
from baffle.bench.advise.learning import Federation, Schedule, uncertainty

NEAR = 0.1  # hours within a tenth are alike; peaks of one process differ by some MiB
CLOSE = 0.15  # of the memory: a peak this near to it may turn out on the other side
FITS = "fits"
NAMES: Mapping[str, str] = {
    "baffle": "BAFFLE",
    "baffle-low-memory": "BAFFLE, low memory",
    "fedavg": "FedAvg",
    "fedavg-checkpointed": "FedAvg, checkpointed",
}


@dataclass(frozen=True)
class Verdict:
    """A way to take part, judged.

    Args:
        cost: of it.
        why_not: why it cannot be used; "" if it can.
    """

    cost: Cost
    why_not: str

    @property
    def name(self) -> str:
        """For people."""
        trained = self.cost.measured.trained
        part = "" if trained == "all" else f", {trained} only"
        return NAMES[self.cost.measured.way] + part


@dataclass(frozen=True)
class Advice:
    """What to use.

    Args:
        verdicts: every way that was measured.
        best: the one to use; None if none can be.
        sure: how far to trust it, in a sentence.
        changes: what would change it, a sentence each.
    """

    verdicts: Sequence[Verdict]
    best: Verdict | None
    sure: str
    changes: Sequence[str]


Plans = Callable[[Measured], Schedule]


def advise(
    measured: Sequence[Measured], plans: Plans, federation: Federation, device: Device
) -> Advice:
    """Return the advice for a device.

    Args:
        measured: ways to take part, as measured here.
        plans: a way to its rounds, K or H, and B.
        federation: who takes part.
        device: what a client has.
    """
    verdicts = _judged(measured, plans, federation, device)
    best = _best(verdicts)

    def again(other: Device) -> Verdict | None:
        return _best(_judged(measured, plans, federation, other))

    changes = list(_changes(device, best, verdicts, again))
    return Advice(verdicts, best, _sure(verdicts, best, device), changes)


def _judged(
    measured: Sequence[Measured], plans: Plans, federation: Federation, device: Device
) -> list[Verdict]:
    costs = [cost_of(m, plans(m), federation, device) for m in measured]
    return [Verdict(cost, _why_not(cost, device)) for cost in costs]


def _why_not(cost: Cost, device: Device) -> str:
    way = cost.measured
    if not way.possible:
        return "the model has no parts to compute twice"
    if device.inference_only and not way.probes:
        return "the device computes no gradients"
    if cost.memory > device.memory:
        return f"needs {_mib(cost.memory)}, {_mib(cost.memory - device.memory)} more than there is"
    return ""


def _best(verdicts: Sequence[Verdict]) -> Verdict | None:
    usable = [v for v in verdicts if not v.why_not]
    if not usable:
        return None
    least = min(v.cost.hours for v in usable)
    near = [v for v in usable if v.cost.hours <= least * (1 + NEAR)]
    return min(near, key=lambda v: v.cost.memory)


def _sure(verdicts: Sequence[Verdict], best: Verdict | None, device: Device) -> str:
    """Say how far the advice is to be trusted, by its closest call."""
    close = [v.name for v in verdicts if _memory_close(v, device)]
    doubt = f"; memory is a close call for {', '.join(close)}" if close else ""
    if best is None:
        return f"Sure that nothing fits, to {CLOSE:.0%} of memory{doubt}."
    rivals = [v for v in verdicts if not v.why_not and v.cost.measured.probes != _probes(best)]
    if not rivals:
        return f"Sure, to {CLOSE:.0%} of memory: nothing of the other kind can run{doubt}."
    factor = uncertainty(best.cost.measured.dimension)
    lead = min(v.cost.hours for v in rivals) / best.cost.hours
    said = "Sure" if lead > factor else "Not sure"
    return (
        f"{said}: it is {lead:.2g} times as quick as the best of the other kind, and how long "
        f"learning takes is known to a factor of {factor:.2g}{doubt}."
    )


def _probes(verdict: Verdict) -> bool:
    return verdict.cost.measured.probes


def _memory_close(verdict: Verdict, device: Device) -> bool:
    usable = not verdict.why_not or verdict.why_not.startswith("needs")
    return usable and abs(verdict.cost.memory / device.memory - 1) < CLOSE


def _changes(
    device: Device,
    best: Verdict | None,
    verdicts: Sequence[Verdict],
    again: Callable[[Device], Verdict | None],
) -> Iterator[str]:
    """Yield what would change the advice: memory, the link, gradients."""
    for memory in sorted({v.cost.memory for v in verdicts if v.cost.measured.possible}):
        for edge, less in ((memory, "with at least"), (memory - 1, "with less than")):
            toward = edge > device.memory if less == "with at least" else memory < device.memory
            other = again(replace(device, memory=edge))
            if toward and _name(other) != _name(best):
                yield f"{less} {_mib(memory)} of memory: {_name(other)}"
    yield from _link_changes(device, best, again)
    other = again(replace(device, inference_only=not device.inference_only))
    if _name(other) != _name(best):
        how = "that computes gradients" if device.inference_only else "without gradients"
        yield f"on a device {how}: {_name(other)}"


def _link_changes(
    device: Device, best: Verdict | None, again: Callable[[Device], Verdict | None]
) -> Iterator[str]:
    """Yield the nearest power of two of the link's speed that changes the advice, each way."""
    for sign, word in ((-1, "slower"), (1, "faster")):
        for power in range(1, 21):
            factor = 2.0 ** (sign * power)
            other = again(replace(device, up=device.up * factor, down=device.down * factor))
            if _name(other) != _name(best):
                yield f"with a link {2**power:,} times {word}: {_name(other)}"
                break


def _name(verdict: Verdict | None) -> str:
    return "nothing" if verdict is None else verdict.name


def _mib(size: float) -> str:
    return f"{size / MIB:.0f} MiB"
