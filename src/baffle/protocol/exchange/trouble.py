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
    "secure",  # what is asked of it would reveal more than a sum, or comes out of turn
    "spent",  # the mask key that the roster has of it is used up
    "roster",  # it does not stand in the roster once, under its own keys
    "peer",  # another client's keys are not those it is known by
    "group",  # fewer clients, or another group, than it takes part in
    "plan",  # the plan is not one of this run: directions, radii or steps that it does not have
)
# What a client refuses of a plan by other names (see `baffle.protocol.client`).
OF_PLANS = {"round": "behind", "key": "plan", "scales": "plan", "steps": "plan"}
CODES = {reason: code for code, reason in enumerate(REASONS)}
# What a snapshot, which comes with the genesis, can set right: the server sends one at once.
MENDED_BY_SNAPSHOT = frozenset({"behind", "digest", "run", "decode", "nonfinite"})
# What a secure sum refuses by other names than these (see `baffle.secagg.client`).
OUT_OF_TURN = ("round", "masked", "early", "late", "context", "twice", "opened")
SECAGG = {
    "neighbours": "roster",
    "identity": "peer",
    "signature": "peer",
    "key": "peer",
    "few": "group",
    "sharers": "group",
    **dict.fromkeys(OUT_OF_TURN, "secure"),
}
# What fresh keys set right: the server asks who it is, and its answer brings them.
MENDED_BY_GREETING = frozenset({"run", "spent", "roster", "secure"})
# And what may have been someone else's ask: the server's own follows.
ASKED_AGAIN = MENDED_BY_SNAPSHOT | {"forged"}
