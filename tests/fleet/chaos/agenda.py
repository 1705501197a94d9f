"""Virtual time: what is due next."""

import heapq
import itertools


class Agenda:
    """Calls by their time; those of one moment in the order in which they were made."""

    def __init__(self):
        self.now = 0.0
        self._heap, self._order = [], itertools.count()

    def at(self, delay, call, *args):
        heapq.heappush(self._heap, (self.now + delay, next(self._order), call, args))

    def step(self):
        """Do what is due next."""
        self.now, _, call, args = heapq.heappop(self._heap)
        call(*args)

    def __len__(self):
        return len(self._heap)
