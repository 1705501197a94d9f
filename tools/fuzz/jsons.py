"""The decoders of JSON: genesis and members.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from baffle.directions import ModelSignature, TensorSpec
from baffle.fleet.members import Members
from baffle.protocol import Genesis, Rules
from baffle.protocol.messages import run_id
from baffle.updates import OPTIMISERS, UpdateSpec
from tools.fuzz import texts
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import Bytes, Case, differing

NAMES = ("w", "b", "conv.weight", "größe", "a/b", "z" * 40, "\U0001f512")


def genesis(draws: Draws, tensors: int) -> Genesis:
    """Return a valid genesis with so many tensors."""
    specs = tuple(
        TensorSpec(
            f"{draws.pick(NAMES)}.{n}", tuple(draws.between(1, 9) for _ in range(draws.below(4))),
            "float32", n == 0 or not draws.chance(4),
        )
        for n in range(tensors)
    )  # fmt: skip
    update = UpdateSpec(
        draws.pick(sorted(OPTIMISERS)), draws.pick((0.0, 0.9)), 0.99, draws.pick((1e-8, 1e-3)),
        draws.pick((0.0, 1e-4)), draws.pick((0.0, 0.01)), draws.pick((0.0, 0.995)), draws.chance(2),
    )  # fmt: skip
    settings = {
        "data": {"name": "digits"},
        "rounds": draws.bits(20),
        "rate": 0.1,
        "list": [1, None],
    }
    frozen = draws.pick((b"", draws.bytes(32)))
    signature = ModelSignature(specs, frozen)
    return Genesis("baffle", draws.bits(64), signature, update, draws.bytes(32), settings)


class Geneses(Bytes):
    """`Genesis.from_bytes`."""

    name = "genesis"
    slope = 120  # "[]," takes 3 bytes, and 88 as a list; nesting takes more, and so do errors
    constant = 1 << 16

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a genesis; a large one has hundreds of tensors."""
        found = genesis(draws, 400 if large else draws.between(1, 5))
        return Sample(found.to_bytes()), found.run

    def mutate(self, draws: Draws, sample: Sample, pool: Sequence[Sample]) -> bytes:
        """Attack it as JSON, seldom as bytes."""
        if draws.chance(4):
            return mutated(draws, sample, pool)
        return texts.encoded(draws, texts.attacked(draws, sample.data.decode()))

    def decode(self, case: Case) -> Genesis:
        """Call it."""
        return Genesis.from_bytes(case.data)

    def wrong(self, case: Case, value: Genesis) -> str | None:
        """Check encoding, run and types; its rules and its first state can be made."""
        update = dataclasses.astuple(value.update)
        return differing(
            {
                "encoding": value.to_bytes() == case.data,
                "run": value.run == run_id(case.data),
                "forged": case.honest == (value.run == case.about),
                "key": type(value.key) is int and 0 <= value.key < 2**64,
                "texts": type(value.algorithm) is str and type(value.settings) is dict,
                "shares": all(0 <= x < 1 for x in (update[1], update[2], update[6])),
                "digests": len(value.initial) == 32
                and len(value.signature.frozen_digest) in (0, 32),
                "sides": all(
                    type(side) is int and 0 <= side < 2**32
                    for tensor in value.signature.tensors
                    for side in tensor.shape
                ),
                "rules": Rules.of(value).signature is value.signature,
            }
        )


class Rosters(Bytes):
    """`Members.from_json`."""

    name = "members"
    slope = 160
    constant = 1 << 16

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a roster and how many clients the run has."""
        clients = 2000 if large else draws.between(1, 12)
        known = [
            (n, draws.bytes(16), draws.below(2**64) if draws.chance(2) else None)
            for n in range(clients)
            if not draws.chance(4)
        ]
        return Sample(Members(clients, known).to_json().encode(), header=0), clients

    def mutate(self, draws: Draws, sample: Sample, pool: Sequence[Sample]) -> bytes:
        """Attack it as JSON, seldom as bytes."""
        if draws.chance(4):
            return mutated(draws, sample, pool)
        text = texts.attacked(draws, sample.data.decode())
        return text.encode("utf-8", "surrogatepass")

    def decode(self, case: Case) -> Members:
        """Call it with what a file's reader would hand on."""
        return Members.from_json(case.data.decode("utf-8", "surrogateescape"), case.about)

    def wrong(self, case: Case, value: Members) -> str | None:
        """Check that it says what the text says, spacing apart, and its ranges."""
        rows = value.by_number
        said = json.loads(case.data.decode("utf-8", "surrogateescape"))
        return differing(
            {
                "encoding": repr(said) == repr(json.loads(value.to_json())),
                "numbers": all(0 <= n < case.about for n in rows),
                "tags": len({m.tag for m in rows.values()}) == len(rows),
                "sizes": all(len(m.tag) == 16 for m in rows.values()),
            }
        )
