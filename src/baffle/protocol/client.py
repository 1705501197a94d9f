"""The client's side: plan bytes in, report bytes out. No I/O, no clock, no state of its own.

Asked twice for the same round, also after a crash, it answers with the same bytes: batch and
rounding are functions of (its secret, the run, the round), and of nothing that a restart loses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Probe
from baffle.errors import DataError, Refused
from baffle.protocol.advance import Rules
from baffle.protocol.codec import decode_plan, encode_report
from baffle.protocol.contribution import Form
from baffle.protocol.messages import Plan, Report
from baffle.protocol.steps import (
    Mine,
    Taken,
    losses_of_batch,
    losses_of_each,
    points_of,
    report_of,
    take,
)
from baffle.quantisation import Quantised, example_words
from baffle.updates import TrainState
from baffle.updates.ops import f32
from baffle.updates.rebuild import Sums, estimate
from baffle.updates.state import Slot


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

    @cached_property
    def key(self) -> int:
        """Its own Philox key of this run, for what only it may know."""
        return client_key(self.secret, self.run)

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise DataError(
                f"client {self.number} has no data: expected at least one example, got none"
            )

    def answer(self, plan_bytes: bytes, state: TrainState, digest: bytes, group: int = 0) -> bytes:
        """Return the report to a plan, as bytes; see `measure`."""
        plan = decode_plan(plan_bytes)
        return encode_report(self.measure(plan, state, digest, group), plan.bits)

    def measure(self, plan: Plan, state: TrainState, digest: bytes, group: int = 0) -> Report:
        """Return the report to a plan.

        Args:
            plan: of the round.
            state: the client's replica of the training state.
            digest: the replica's digest (computed once a round by who holds it).
            group: the client's, below the plan's number of groups.

        Raises:
            Refused: a plan of another run, another round, or another state than the replica's.
            ProbeError: the backend returned something other than one loss a point.
        """
        self.check(plan, state, digest, group)
        weights: Slot = state.weights
        steps: list[Taken] = []
        for step in range(plan.num_local_steps):
            steps.append(self._step(plan, step, weights, group))
            if plan.local_factor and step + 1 < plan.num_local_steps:
                weights = self._move(plan, step, steps[-1].quantised, weights, group)
        return self.report(plan, steps)

    def contribution(
        self, form: Form, state: TrainState, digest: bytes, group: int, secret: bytes
    ) -> NDArray[np.int64]:
        """Return what this client adds to its group's secure sum, its noise included.

        Args:
            form: how the plan's vectors are laid out.
            state, digest, group: as for `measure`.
            secret: for this answer alone, see `answer_secret`.

        Raises:
            Refused, ProbeError: as `measure`.
        """
        if form.privacy is None or form.privacy.unit == "client":
            vector = form.vector(self.measure(form.plan, state, digest, group))
        else:
            vector = self._of_examples(form, state, digest, group, secret)
        return form.noised(vector, secret)

    def _of_examples(
        self, form: Form, state: TrainState, digest: bytes, group: int, secret: bytes
    ) -> NDArray[np.int64]:
        """Return the sum of what each of its sampled examples says, clipped one by one."""
        plan = form.plan
        self.check(plan, state, digest, group)
        if plan.num_local_steps != 1:
            raise Refused(
                "steps",
                f"client {self.number}: its examples are promised privacy, which "
                f"{plan.num_local_steps} local steps would break: expected a plan with one",
            )
        taken = form.sample(secret, self.examples)
        points = points_of(plan, self.rules.signature, 0, group)
        losses = losses_of_each(self.probe, state.weights, points, taken, f"client {self.number}")
        found = plan.estimator.derivatives(losses, plan.num_directions, plan.pairs, plan.radius)
        words = example_words(self.key, plan.round, plan.num_directions, taken)
        rows = plan.quantiser.quantise_rows(found.values, words)
        values = np.array([r.values for r in rows], dtype=np.int64).reshape(len(taken), plan.count)
        return form.vector_of_examples(values, np.asarray(found.loss, dtype=np.float64))

    def _step(self, plan: Plan, step: int, weights: Slot, group: int) -> Taken:
        points = points_of(plan, self.rules.signature, step, group)
        mine = Mine(f"client {self.number}", self.key, self.examples)
        losses = losses_of_batch(plan, step, self.probe, weights, points, mine)
        return take(plan, step, np.array([self.key], dtype=np.uint64), losses[None])[0]

    def report(self, plan: Plan, steps: Sequence[Taken]) -> Report:
        """Return the report on what came of each local step."""
        return report_of(plan, self.number, self.examples, steps)

    def check(self, plan: Plan, state: TrainState, digest: bytes, group: int = 0) -> None:
        """Raise Refused unless the plan is for this run, this round and these weights."""
        if group >= plan.groups:
            raise Refused(
                "group",
                f"client {self.number}: expected a group below {plan.groups}, got {group}",
            )
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
        if self.rules.key not in (None, plan.key):
            raise Refused(
                "key",
                f"client {self.number}: expected directions of the run's key {self.rules.key}, got "
                f"a plan with {plan.key}",
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

    def _move(self, plan: Plan, step: int, quantised: Quantised, weights: Slot, group: int) -> Slot:
        """Take a local step by the client's own integers, as the server will add them up."""
        rules = self.rules
        before = np.zeros(plan.first_direction(group), dtype=np.int64)  # other groups' directions
        sums = Sums(
            np.concatenate((before, quantised.values))[None],
            1,
            plan.step_exponent,
            plan.tensor_scales(rules.signature),
            directions=plan.num_directions,
        )
        masked = weights if plan.kind.name == "masked" else None
        own = estimate(
            plan.kind, rules.signature, plan.key, plan.round, step, sums, masked, rules.ops
        )
        factor = f32(plan.local_factor)
        return {name: w - own[name] * factor for name, w in weights.items()}
