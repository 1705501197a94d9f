"""How `throughput` measures: directions, repeats, device, threads, and the time it may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from baffle.bench.machine import cores
from baffle.errors import ConfigError

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Budget:
    """Seconds to spend.

    Args:
        candidate: on a candidate of a search, beside its first call.
        sample: on a sample, by calling quick work several times.
        slow: on a sample of a slow side, by giving it fewer rows.
        row: on the repeats of a row; three are done in any case.
    """

    candidate: float = 0.06
    sample: float = 0.2
    slow: float = 0.6
    row: float = 30.0


QUICK = Budget(candidate=0.0, sample=0.0, slow=0.0, row=2.0)


@dataclass(frozen=True)
class Options:
    """How to measure.

    Args:
        directions: K.
        repeats: at most so many, at least one.
        device: "cpu" or "cuda".
        threads: the only number to try; 0 for one and all cores.
        precision: of our probes, "own" or "bfloat16"; all other sides have the module as it is.
        compiled: let torch.compile make our passes of points one by one.
        budget: of time.

    Raises:
        ConfigError: a number is out of range, or torch has no such device.
    """

    directions: int = 32
    repeats: int = 9
    device: str = "cpu"
    threads: int = 0
    precision: str = "own"
    compiled: bool = False
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        least = {"directions": 1, "repeats": 1, "threads": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ConfigError(f"--{name} must be at least {low}, got {getattr(self, name)}")
        require_device(self.device)

    @property
    def thread_counts(self) -> set[int]:
        """The numbers of threads to try; what the processor does beside an accelerator is small."""
        if self.threads:
            return {self.threads}
        return {1, cores()} if self.device == "cpu" else {cores()}


def require_device(device: str) -> None:
    """Raise ConfigError unless torch can compute there."""
    if device not in DEVICES:
        raise ConfigError(f"--device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError("--device cuda: torch finds no CUDA device here; use --device cpu")
