"""What a worker says of itself in its folder, and how others read it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from baffle.drivers.worker.place import Place, write_private

MAX_STATE = 1 << 17
STAGES = ("starting", "ready", "failed")


class State(NamedTuple):
    """One worker, as it stands.

    Args:
        stage: "starting", "ready" or "failed" (to start).
        start: the name of its start; see `Orders`.
        fingerprint: `Orders.fingerprint` of what it runs.
        pid: its process id.
        process: its `processes.identity`.
        address: where it listens; "" before it is ready.
        trouble: why it failed, as `replies.encode_error` writes it; "" otherwise.
    """

    stage: str
    start: str
    fingerprint: str
    pid: int
    process: str
    address: str = ""
    trouble: str = ""


def write_state(place: Place, state: State) -> None:
    """Tell it to whoever looks into the folder."""
    write_private(place.state, json.dumps(state._asdict()).encode())


def read_state(place: Place) -> State | None:
    """The state in a folder, or None if there is none that can be used."""
    try:
        with place.state.open("rb") as file:
            data = file.read(MAX_STATE + 1)
    except FileNotFoundError:
        return None
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return State(**values) if _is_state(values) else None


def is_of(place: Place, start: str) -> bool:
    """Whether the folder's worker is the one of this start."""
    state = read_state(place)
    return state is not None and state.start == start


def _is_state(values: Any) -> bool:
    wanted = State._fields
    if not isinstance(values, dict) or set(values) != set(wanted):
        return False
    texts = all(isinstance(values[name], str) for name in wanted if name != "pid")
    number = isinstance(values["pid"], int) and values["pid"] > 0
    return texts and number and values["stage"] in STAGES
