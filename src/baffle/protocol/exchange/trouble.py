"""What may be wrong at a client, by name. The code travels; the text beside it is for people."""

from __future__ import annotations

# A row's place is its code on the wire: append only.
REASONS = (
    "behind",  # it holds nothing to begin from, or another round than the ask goes on from
    "digest",  # after following, its weights are not those that the plan names
    "run",  # the ask is of another run than the one it holds
    "decode",  # the ask, the tail or the snapshot is not the one encoding of anything
    "model",  # its model is not the one that the genesis describes
    "data",  # its data changed since it last answered, or it has none
    "nonfinite",  # none of its losses was a finite number
    "probe",  # its backend failed
    "failed",  # anything else
    "forged",  # an ask that is not under its server's signature
)
CODES = {reason: code for code, reason in enumerate(REASONS)}
# What a snapshot, which comes with the genesis, can set right: the server sends one at once.
MENDED_BY_SNAPSHOT = frozenset({"behind", "digest", "run", "decode", "nonfinite"})
# And what may have been someone else's ask: the server's own follows.
ASKED_AGAIN = MENDED_BY_SNAPSHOT | {"forged"}
