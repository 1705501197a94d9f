"""The client's side: plan bytes in, report bytes out. No I/O, no clock, no state of its own.

Asked twice for the same round, also after a crash, it answers with the same bytes: batch and
rounding are functions of (its secret, the run, the round), and of nothing that a restart loses.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Place, Points, Probe
from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.subset import draw_subset
from baffle.errors import DataError, ProbeError, Refused
from baffle.estimators import Derivatives
from baffle.protocol.advance import Rules
from baffle.protocol.codec import RUN_PREFIX, decode_plan, encode_report
from baffle.protocol.messages import ENERGY_EXPONENT, LOSS_EXPONENT, Plan, Report
from baffle.quantisation import Quantised, rounding_words
from baffle.updates import TrainState
from baffle.updates.ops import f32
from baffle.updates.rebuild import Sums, estimate
from baffle.updates.state import Slot

MAX_LOSS = 2**31 - 1
MAX_ENERGY = 2**48 - 1


def client_key(secret: bytes, run: bytes) -> int:
    """Return a client's 64-bit Philox key for one run, from its secret of 32 bytes."""
    return int.from_bytes(
        hashlib.sha256(b"baffle client 1\n" + run + secret).digest()[:8], "little"
    )


@dataclass(frozen=True)
class Client:
    """One client of one run.

    Args:
        number: its place in the roster, below 2^32.
        secret: 32 bytes that only it knows (a simulated client's come from the run's key).
        run: the run's 16 bytes.
        rules: what the run's integers mean.
        probe: losses of its model on its own data.
        examples: how many examples it has.

    Raises:
        DataError: it has no examples.
    """

    number: int
    secret: bytes
    run: bytes
    rules: Rules
    probe: Probe
    examples: int

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise DataError(
                f"client {self.number} has no data: expected at least one example, got none"
            )

    def answer(self, plan_bytes: bytes, state: TrainState, digest: bytes) -> bytes:
        """Return the report to a plan.

        Args:
            plan_bytes: as they came.
            state: the client's replica of the training state.
            digest: the replica's digest (computed once a round by who holds it).

        Raises:
            DecodeError: not a plan.
            Refused: a plan of another run, another round, or another state than the replica's.
            ProbeError: the backend returned something other than one loss a point.
        """
        plan = decode_plan(plan_bytes)
        self._check(plan, state, digest)
        key = client_key(self.secret, self.run)
        weights: Slot = state.weights
        parts, losses = [], []
        for step in range(plan.num_local_steps):
            derivatives = self._probe(plan, step, key, weights)
            words = rounding_words(key, plan.round, step, plan.num_directions)
            quantised = plan.quantiser.quantise(derivatives.values, words)
            parts.append(quantised)
            losses.append(derivatives)
            if step + 1 < plan.num_local_steps:
                weights = self._move(plan, step, quantised, weights)
        return encode_report(self._report(plan, parts, losses), plan.bits)

    def _check(self, plan: Plan, state: TrainState, digest: bytes) -> None:
        if plan.run != self.run:
            raise Refused(
                "run",
                f"client {self.number}: expected a plan of run {self.run.hex()}, "
                f"got {plan.run.hex()}",
            )
        if plan.round != state.round:
            raise Refused(
                "round",
                f"client {self.number}: expected a plan of round {state.round}, got {plan.round}",
            )
        scales, trained = len(plan.scale_exponents), len(self.rules.signature.trained)
        if scales not in (0, trained):
            raise Refused(
                "scales",
                f"client {self.number}: expected no scale exponents or one a trained tensor, "
                f"{trained}, got {scales}",
            )
        if plan.digest != digest:
            raise Refused(
                "digest",
                f"client {self.number}: its weights at round {state.round} are "
                f"{digest.hex()[:16]}…, the server's {plan.digest.hex()[:16]}…: take a snapshot",
            )

    def _probe(self, plan: Plan, step: int, key: int, weights: Slot) -> Derivatives:
        layout = plan.estimator.layout(plan.num_directions, plan.pairs)
        exponents = tuple(
            plan.radius_exponent + s for s in plan.tensor_scales(self.rules.signature)
        )
        place = Place(plan.key, plan.round, step)
        points = Points(place, plan.kind, exponents, layout.directions, layout.signs)
        losses = np.asarray(self.probe(weights, points, self._batch(plan, step, key)))
        if losses.shape != (len(points),) or losses.dtype != np.float64:
            raise ProbeError(
                f"client {self.number}: expected {len(points)} float64 losses, "
                f"got {losses.dtype} {losses.shape}"
            )
        return plan.estimator.derivatives(losses, plan.num_directions, plan.pairs, plan.radius)

    def _batch(self, plan: Plan, step: int, key: int) -> NDArray[np.int64]:
        size = min(plan.batch or self.examples, self.examples)
        return draw_subset(Stream(key, Purpose.BATCH, plan.round, step), self.examples, size)

    def _move(self, plan: Plan, step: int, quantised: Quantised, weights: Slot) -> Slot:
        """Take a local step by the client's own integers, as the server will add them up."""
        rules = self.rules
        sums = Sums(
            quantised.values[None], 1, plan.step_exponent, plan.tensor_scales(rules.signature)
        )
        masked = weights if plan.kind.name == "masked" else None
        own = estimate(
            plan.kind, rules.signature, plan.key, plan.round, step, sums, masked, rules.ops
        )
        factor = f32(plan.local_factor)
        return {name: w - own[name] * factor for name, w in weights.items()}

    def _report(self, plan: Plan, parts: list[Quantised], losses: list[Derivatives]) -> Report:
        steps = len(parts)
        finite = [d.loss for d in losses if math.isfinite(d.loss)]
        in_steps = 2.0 ** (-2 * plan.step_exponent)
        return Report(
            run=self.run[:RUN_PREFIX],
            round=plan.round,
            client=self.number,
            values=np.concatenate([p.values for p in parts]),
            weight=plan.weight_for(self.examples),
            loss=_fixed(sum(finite) / len(finite) if finite else 0.0, LOSS_EXPONENT, MAX_LOSS),
            clips=sum(p.clips for p in parts),
            nonfinite=sum(int(np.sum(~d.finite)) for d in losses),
            energy=_fixed(sum(p.energy for p in parts) / steps, ENERGY_EXPONENT, MAX_ENERGY),
            odd=_fixed(sum(d.odd for d in losses) / steps * in_steps, ENERGY_EXPONENT, MAX_ENERGY),
            even=_fixed(
                sum(d.even for d in losses) / steps * in_steps, ENERGY_EXPONENT, MAX_ENERGY
            ),
        )


def _fixed(value: float, exponent: int, limit: int) -> int:
    """Return a number as an integer in units of 2^exponent, saturating at ±limit."""
    scaled = (
        math.ldexp(value, -exponent) if abs(value) < 2.0**200 else math.copysign(math.inf, value)
    )
    return round(max(-float(limit), min(float(limit), scaled)))
