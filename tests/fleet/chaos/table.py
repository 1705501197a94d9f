"""What happened over many seeds, and what must have happened at least once."""

from tests.fleet.chaos import liar
from tests.fleet.chaos.forger import Forger
from tests.fleet.chaos.node import PLACES, SICK, WALLET_PLACES
from tests.fleet.chaos.scenario import MESSAGE, SECOND, STEP

# What a server may count. "client" is missing: whoever speaks for a number has one in the roster.
FAULTS = (
    "behind", "claim", "cohort", "data", "decode", "digest", "failed", "forged", "full", "identity",
    "missing", "model", "node", "nonfinite", "probe", "round", "run", "seal", "transport", "twice",
)  # fmt: skip
WAYS = [f"network.{kind}.{way}" for kind in MESSAGE for way in ("up", "down")]
NEEDED = (
    *(name for name in WAYS if name != "network.chunk.up"),
    "network.reordered", "network.nobody_there", "network.server_away",
    "door.forged", "door.decode", "node.taken_in",
    "node.kill_before", "node.kill_after", *(f"node.kill_while.{place}" for place in PLACES),
    *(f"server.{kind}" for kind in STEP), "server.full_disk_refused", "server.started",
    *(f"gremlin.{kind}" for kind in SECOND), *(f"sick.{name}" for name in SICK),
    *(f"forged{name[3:]}" for name in vars(Forger) if name.startswith("_as_")),
    *map(liar.label, liar.kinds()),
    "forged_anothers_tag.taken", "forged_one_more_client.taken",
    *(f"fault.{reason}" for reason in FAULTS), "refused.changed_on_its_way",
    "round.all", "round.deadline", "round.enough", "round.summed", "round.abandoned",
    "truth.recomputed", "truth.same_process_again", "truth.other_process_again",
    "truth.late_joiner",
)  # fmt: skip
# What must happen besides with secure sums, where no report is given: what is forged of reports
# cannot be, and of the faults these are left.
SECURE_FAULTS = (
    "behind", "claim", "data", "decode", "digest", "failed", "forged", "full", "identity",
    "missing", "model", "node", "nonfinite", "peer", "probe", "roster", "round", "run", "seal",
    "secure", "spent", "transport", "twice",
)  # fmt: skip
SECURE_NEEDED = (
    *(name for name in WAYS if name != "network.chunk.up"),
    "node.kill_before", "node.kill_after", *(f"node.kill_while.{place}" for place in PLACES),
    *(f"node.kill_while.{place}" for place in WALLET_PLACES),
    *(f"server.{kind}" for kind in STEP), *(f"gremlin.{kind}" for kind in SECOND),
    *(f"forged{name[5:]}" for name in vars(Forger) if name.startswith("_with_")),
    *(f"fault.{reason}" for reason in SECURE_FAULTS), "refused.changed_on_its_way",
    "round.all", "round.deadline", "round.enough", "round.summed", "round.abandoned",
    "truth.masked", "truth.masked_again", "truth.opened", "truth.groups_1", "truth.groups_2",
    "truth.late_joiner",
)  # fmt: skip


def missing_of_secure(counts):
    """Return what never happened with secure sums and should have."""
    return [name for name in SECURE_NEEDED if not counts.get(name)]


def missing(counts):
    """Return what never happened and should have."""
    return [name for name in NEEDED if not counts.get(name)]


def text(counts):
    """Return the counters as lines, in three columns."""
    cells = [f"{name:<42}{n:>10}" for name, n in sorted(counts.items())]
    rows = -(-len(cells) // 3)
    return "\n".join("   ".join(cells[i::rows]).rstrip() for i in range(rows))
