"""Messages of another run of the same clients, with another key."""

import functools
import tempfile
from pathlib import Path

from baffle.fleet import Pace
from tests.fleet.world import Home, MemoryStore, client_of, settings_of


@functools.cache
def messages(roster, rounds=5):
    """Return the asks [(part, …), …] and the answers [bytes, …] of a short run."""
    asks, answers = [], []
    settings = settings_of(clients=min(roster, 6), rounds=rounds, key=2**40 + 1)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "run", settings, Pace(gather=0.0, evaluate_every=2))
        clients = {1000 + n: client_of(n, MemoryStore()) for n in range(min(roster, 6))}
        todo = home.coordinator.see(frozenset(clients), 0.0)
        while True:
            while todo:
                ask = todo.pop(0)
                asks.append(ask.parts)
                answers.append(clients[ask.node].handle(ask.parts))
                todo += home.coordinator.receive(ask.node, answers[-1], 0.0)
            if home.coordinator.round:
                home.store(home.coordinator.close(0.0))
                home.coordinator.commit()
            if home.coordinator.server.state.round == rounds:
                break
            todo = home.coordinator.open(0.0)
        home.ledger.close()
    return asks, answers
