"""A network that loses, doubles, delays, reorders, truncates and flips bits, in both directions."""

from dataclasses import dataclass

LATENCY = (0.01, 0.4)
LATEST = 40.0  # a message that is later is lost: its validity is over


@dataclass(frozen=True)
class Message:
    """A message under way: who it is to or from, its parts, and whether they are as they were."""

    node: int
    parts: tuple
    sent: int
    whole: bool = True


class Network:
    """Carries messages between the server and the nodes.

    Args:
        world: the simulation, whose agenda, chance and counters it uses.
    """

    def __init__(self, world):
        self._world = world
        self.under_way = 0
        self._sent = 0
        self._newest = {}

    def down(self, node, parts):
        for delay, copy, whole in self._copies("down", parts):
            self._send(delay, self._world.arrives_at_node, Message(node, copy, self._sent, whole))

    def up(self, node, data):
        for delay, copy, whole in self._copies("up", (data,)):
            self._send(delay, self._world.arrives_at_home, Message(node, copy, self._sent, whole))

    def _send(self, delay, arrive, message):
        self.under_way += 1
        self._world.agenda.at(delay, self._arrive, arrive, message)

    def _arrive(self, arrive, message):
        self.under_way -= 1
        key = (arrive.__name__, message.node)
        if message.sent < self._newest.get(key, 0):
            self._world.count("network.reordered")
        self._newest[key] = max(message.sent, self._newest.get(key, 0))
        arrive(message)

    def _copies(self, way, parts):
        """Return what becomes of a message: its copies, with delays."""
        self._sent += 1
        if self._happens("lose", way):
            return []
        copies = 2 if self._happens("double", way) else 1
        return [self._one(way, parts) for _ in range(copies)]

    def _one(self, way, parts):
        rng, before = self._world.rng, parts
        delay = rng.uniform(*LATENCY)
        if self._happens("delay", way):
            delay += rng.uniform(1.0, LATEST)
        if self._happens("truncate", way):
            parts = _changed(rng, parts, truncated)
        if self._happens("flip", way):
            parts = _changed(rng, parts, flipped)
        if len(parts) > 1 and self._happens("chunk", way):
            parts = _other_chunks(rng, parts)
        return delay, parts, parts == before

    def _happens(self, kind, way):
        return self._world.happens(kind, f"network.{kind}.{way}")


def truncated(rng, data):
    return data[: rng.randrange(len(data))] if data else data


def flipped(rng, data):
    if not data:
        return data
    place = rng.randrange(8 * len(data))
    at, bit = divmod(place, 8)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def _changed(rng, parts, change):
    if not parts:
        return parts
    at = rng.randrange(len(parts))
    return (*parts[:at], change(rng, parts[at]), *parts[at + 1 :])


def _other_chunks(rng, parts):
    chunks = list(parts[1:])
    match rng.randrange(3):
        case 0:
            chunks.pop()
        case 1:
            chunks.append(chunks[0])
        case 2:
            chunks[0] = chunks[0][::-1]
    return (parts[0], *chunks)
