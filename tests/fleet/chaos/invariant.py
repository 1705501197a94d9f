"""How the simulation says that something does not hold."""


class Broken(AssertionError):
    """An invariant does not hold."""


def require(condition, *what):
    if not condition:
        raise Broken(" ".join(map(str, what)))
