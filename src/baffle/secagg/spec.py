"""What secure sums must withstand, and the numbers that follow from it.

With k neighbours a client and shares that any t of them can join, at most c of the k colluding:

1. c < 2t - k. An honest neighbour answers for one list of survivors only, so k - c of them give one
   kind of share and c both: k + c < 2t in all, never t of each. c < t follows.
2. At least t of the k stay, at the tolerated rate of drop-outs. Else the round is abandoned.
3. Honest survivors stay connected by common masks, or the sums of the parts would be seen. On the
   shuffled ring that takes a run of k/2 clients who collude or are gone.
4. 3t > 2k + 2c + 1. Then a server that shows different clients different lists opens one of them
   or none: docs/privacy.md has the proof. This takes more neighbours than 1 to 3. Where it takes
   more than `most_neighbours`, it is left out: never both secrets of one client, still, but which
   sums a server that lies can choose is not proved. Smaller groups keep it.

Colluders and drop-outs are fixed counts and the graph is drawn after them, so chances are those of
a draw without replacement, in exact integers (Bell et al. 2020, section 3, bound the same ones). 1,
3 and 4 fail with less than 2^-failure_bits over the whole group, 2 with less than 2^-20: it costs a
round, not a secret. Whoever chooses rosters or mask keys may try again and again for a graph that
suits him; each try counts against the failure bits.

Up to 32 clients, and where no smaller k does, the graph is complete. There 1 holds by counting,
without chance, 3 because everyone is everyone's neighbour, and 4 because two lists would each need
more than half of the honest clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil

from baffle.errors import ConfigError
from baffle.secagg.tails import most_marked, run_is_unlikely

AVAILABILITY_BITS = 20
SMALL = 32  # up to here fewer neighbours save little, and chance is left out of the argument
MOST_NEIGHBOURS = 512
MAX_MEMBERS = 2**14  # of one group: 16,384 leaves are half a megabyte down


@dataclass(frozen=True)
class SecureSpec:
    """What a secure sum must withstand.

    Args:
        min_group: fewest members of a group and fewest parts of a sum that is opened, from 2.
        collusion: share of the clients who may tell the server all they know, 0 to 0.3.
        dropout: share of the clients who may fall silent within a round, 0 to 0.3.
        failure_bits: chance that the graph does not keep its promises, as 2^-bits, 10 to 80.
        most_neighbours: up to how many neighbours condition 4 may take, from 0; 144 bytes up each.
    """

    min_group: int = 3
    collusion: float = 0.05
    dropout: float = 0.1
    failure_bits: int = 40
    most_neighbours: int = 80

    def __post_init__(self) -> None:
        for name in ("min_group", "failure_bits", "most_neighbours"):
            if type(getattr(self, name)) is not int:
                raise ConfigError(
                    f"secure sums: expected a whole number as {name}, got {getattr(self, name)!r}"
                )
        if not 2 <= self.min_group <= MAX_MEMBERS:
            raise ConfigError(
                f"secure sums: min_group in 2 to {MAX_MEMBERS}, got {self.min_group}: "
                "the sum of one client is its report"
            )
        for name, share in (("collusion", self.collusion), ("dropout", self.dropout)):
            if not 0 <= share <= 0.3:
                raise ConfigError(f"secure sums: {name} in 0 to 0.3, got {share}")
        if not 10 <= self.failure_bits <= 80:
            raise ConfigError(f"secure sums: failure_bits in 10 to 80, got {self.failure_bits}")
        if not 0 <= self.most_neighbours <= MAX_MEMBERS:
            raise ConfigError(
                f"secure sums: most_neighbours in 0 to {MAX_MEMBERS}, got {self.most_neighbours}"
            )


@dataclass(frozen=True)
class Parameters:
    """What a group of n clients uses.

    Args:
        members: n.
        neighbours: k, with how many others each shares masks and secrets.
        threshold: t, how many neighbours can bring back a secret.
        least: fewest survivors whose sum is opened.
        colluders, dropouts: how many clients of the group these numbers allow for.
        colluding: most colluding neighbours that any client has, but for the chance of failure.
        failure_bits: of what the spec asks; 0 for the complete graph, where nothing is left to
            chance.
        one_list: whether a server that lies about survivors is held to one list (condition 4).
    """

    members: int
    neighbours: int
    threshold: int
    least: int
    colluders: int
    dropouts: int
    colluding: int
    failure_bits: int
    one_list: bool

    @property
    def complete(self) -> bool:
        """Whether everyone is everyone's neighbour."""
        return self.neighbours == self.members - 1

    def describe(self) -> str:
        """Return one sentence for people."""
        chance = "" if self.complete else f", but for a chance of 2^-{self.failure_bits}"
        lies = (
            "" if self.one_list else "; a server that lies about survivors is not held to one list"
        )
        return (
            f"{self.members} clients, {self.neighbours} neighbours each, any {self.threshold} of "
            f"whom stand in for a client; up to {self.colluders} colluding clients learn nothing "
            f"but the sum{chance}; sums of {self.least} or more are opened{lies}"
        )


def of_group(share: float, members: int) -> int:
    """Return a share of the members, rounded up, as the decimal number that it is written as."""
    return ceil(Fraction(repr(float(share))) * members)


@lru_cache(maxsize=256)
def parameters(members: int, spec: SecureSpec) -> Parameters:
    """Return the numbers for a group: the fewest neighbours that the spec allows.

    Args:
        members: n, from the spec's min_group.
        spec: what must be withstood.

    Raises:
        ConfigError: a group smaller than the spec's min_group, or larger than 16,384, or one whose
            clients would need more than 512 neighbours.

    Example:
        >>> found = parameters(100, SecureSpec())
        >>> found.neighbours, found.threshold, found.least
        (42, 32, 90)
    """
    if not spec.min_group <= members <= MAX_MEMBERS:
        raise ConfigError(
            f"secure sums: expected groups of {spec.min_group} to {MAX_MEMBERS} clients, "
            f"got {members}"
        )
    colluders = min(of_group(spec.collusion, members), members - 2)
    dropouts = of_group(spec.dropout, members)
    if members > SMALL:
        for strict, most in ((True, spec.most_neighbours), (False, MOST_NEIGHBOURS)):
            for k in range(2, min(most, members - 2) + 1, 2):
                found = _regular(members, k, colluders, dropouts, spec, strict)
                if found is not None:
                    return found
    k = members - 1
    if k > MOST_NEIGHBOURS:
        raise ConfigError(
            f"secure sums: a group of {members} clients would need more than {MOST_NEIGHBOURS} "
            "neighbours each against so many colluding and vanishing ones: form smaller groups, or "
            "assume less collusion or dropout"
        )
    threshold = min(k, (k + colluders) // 2 + 1)
    least = max(spec.min_group, threshold + 1, members - dropouts)
    return Parameters(members, k, threshold, least, colluders, dropouts, colluders, 0, True)


def _regular(
    n: int, k: int, colluders: int, dropouts: int, spec: SecureSpec, strict: bool
) -> Parameters | None:
    """Return the numbers with k neighbours, or None where these do not do."""
    bits = spec.failure_bits + 1  # half of the allowed chance for c, half for 3
    if not run_is_unlikely(n, min(n, colluders + dropouts), k // 2, bits):
        return None
    c = most_marked(n - 1, colluders, k, n, bits)
    threshold = (2 * k + 2 * c + 1) // 3 + 1 if strict else (k + c) // 2 + 1
    gone = most_marked(n - 1, dropouts, k, n, AVAILABILITY_BITS)
    if k - gone < threshold or (strict and k < 2 * c):
        return None
    least = max(spec.min_group, threshold + 1, n - dropouts)
    return Parameters(n, k, threshold, least, colluders, dropouts, c, spec.failure_bits, strict)
