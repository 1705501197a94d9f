"""What befalls machines from second to second: disks, memory, data, models, and the people."""

from tests.fleet.chaos.node import SICK


class Gremlins:
    """Strikes each second, by the seed's odds.

    Args:
        world: the simulation.
    """

    def __init__(self, world):
        self._world = world
        self._moves = 0

    def second(self):
        world = self._world
        if world.calm:
            return
        world.agenda.at(1.0, self.second)
        if world.agenda.now == 0.0:
            self._arrive()
        for kind, strike in self._kinds().items():
            if world.happens(kind) and strike() is not False:
                world.count(f"gremlin.{kind}")

    def _kinds(self):
        return {
            "wipe": lambda: self._node().wipe(),
            "wipe_secret": self._new_secret,
            "revert": lambda: self._node().revert(),
            "corrupt": lambda: self._node().corrupt(),
            "sick": self._sick,
            "data": self._data,
            "model": self._model,
            "leave": self._leave,
            "move": self._move,
            "failed": self._failed,
            "forge_up": self._forge_up,
            "forge_down": self._world.liar.strike,
        }

    def _node(self):
        return self._world.rng.choice(self._world.nodes)

    def _later(self, call, *args):
        self._world.agenda.at(self._world.rng.uniform(1.0, 60.0), call, *args)

    def _arrive(self):
        """Not all are there at the beginning."""
        for node in self._world.nodes:
            if self._world.rng.random() < 0.7:
                node.online = True
            else:
                self._later(self._return, node)

    def _return(self, node):
        node.online = True

    def _new_secret(self):
        """A state folder is lost, and so is who the client was; its operator has no copy yet."""
        node = self._node()
        node.wipe(self._world.rng.randbytes(32))
        self._later(self._restore, node)

    def _restore(self, node):
        if node.secret != node.own_secret:
            node.wipe(node.own_secret)

    def _sick(self):
        node = self._node()
        node.sick = self._world.rng.choice(SICK)
        self._world.count(f"sick.{node.sick}")
        self._later(setattr, node, "sick", "")

    def _data(self):
        node = self._node()
        node.version += 1
        node.die()

    def _model(self):
        node = self._node()
        node.other_model = True
        node.die()
        self._later(self._right_model, node)

    def _right_model(self, node):
        if node.other_model:
            node.other_model = False
            node.die()

    def _leave(self):
        node = self._node()
        node.online = False
        if self._world.rng.random() < 0.5:
            node.die()
        self._later(self._return, node)

    def _move(self):
        """The same client comes back as another node; the old one may still be said to be there."""
        node = self._node()
        self._moves += 1
        node.address = 2000 + self._moves
        node.die()

    def _failed(self):
        home, node = self._world.home, self._node()
        if not home.up:
            return False
        home.coordinator.failed(node.address, "the process of the node ended")
        return True

    def _forge_up(self):
        if not self._world.home.up:
            return False
        self._world.forger.strike()
        return True
