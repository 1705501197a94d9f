"""What both sides agree on before round 0: one canonical JSON text, hashed into the run id."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from baffle.directions import ModelSignature, TensorSpec
from baffle.errors import DecodeError
from baffle.protocol.messages import run_id
from baffle.updates import UpdateSpec

GENESIS_FORMAT = 1


@dataclass(frozen=True)
class Genesis:
    """The start of a run.

    Args:
        algorithm: name, for the reader.
        key: run key.
        signature: the model's tensors.
        update: the way from estimate to weights.
        initial: SHA-256 digest of the state before round 0.
        settings: the driver's own configuration (data, cohort, faults …), so that a ledger says
            what it was made with; the protocol does not look at it.
    """

    algorithm: str
    key: int
    signature: ModelSignature
    update: UpdateSpec
    initial: bytes
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the one encoding: JSON with sorted keys and no spaces, UTF-8."""
        value = {
            "format": GENESIS_FORMAT,
            "algorithm": self.algorithm,
            "key": self.key,
            "tensors": [
                [t.name, list(t.shape), t.dtype, t.trainable] for t in self.signature.tensors
            ],
            "frozen": self.signature.frozen_digest.hex(),
            "update": dataclasses.asdict(self.update),
            "initial": self.initial.hex(),
            "settings": self.settings,
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @cached_property
    def run(self) -> bytes:
        """The run's 16 bytes."""
        return run_id(self.to_bytes())

    @staticmethod
    def from_bytes(data: bytes) -> Genesis:
        """Return the genesis that these bytes encode.

        Raises:
            DecodeError: not JSON, another format, missing or surplus fields, or not canonical.
        """
        try:
            value = json.loads(data)
            found = value.get("format")
            if found != GENESIS_FORMAT:
                raise DecodeError(f"genesis: expected format {GENESIS_FORMAT}, got {found!r}")
            genesis = Genesis(
                value["algorithm"],
                value["key"],
                ModelSignature(
                    tuple(TensorSpec(n, tuple(s), d, t) for n, s, d, t in value["tensors"]),
                    bytes.fromhex(value["frozen"]),
                ),
                UpdateSpec(**value["update"]),
                bytes.fromhex(value["initial"]),
                value["settings"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise DecodeError(
                f"genesis: expected canonical JSON of a run, got {problem}"
            ) from problem
        if genesis.to_bytes() != data:
            raise DecodeError("genesis: expected its one canonical encoding, got another")
        return genesis
