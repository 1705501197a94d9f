"""Messages that nobody honest sent. Of each to the server it is known how it must be refused."""

import dataclasses
import struct

from baffle.errors import DecodeError
from baffle.protocol import decode_plan
from baffle.protocol.exchange import (
    Holds,
    Masked,
    Reported,
    client_tag,
    decode_answer,
    encode_answer,
)
from baffle.protocol.server import Stage
from tests.fleet.chaos import other_run
from tests.fleet.chaos.invariant import require


def _is_masked(data, run):
    try:
        return isinstance(decode_answer(data, run), Masked)
    except DecodeError:
        return False


RUN, ROUND, CLIENT, WEIGHT, NONFINITE, VALUES = 2, 10, 14, 22, 34, 56
STRANGER = 999_999


class Forger:
    """Whoever means ill to the server.

    Args:
        world: the simulation.
    """

    def __init__(self, world):
        self._world = world
        self.tape = []  # (address, answer, plan or None) as honest nodes sent them

    def overhear(self, address, answer, plan):
        self.tape.append((address, answer, plan))
        del self.tape[:-300]

    def strike(self):
        """Hand the server one forged message and check what it makes of it."""
        rng = self._world.rng
        ways = ("_as_", "_with_") if self._world.scenario.secure else ("_as_",)
        kind = rng.choice([name for name in vars(Forger) if name.startswith(ways)])
        forged = getattr(self, kind)()
        if forged is None:
            return
        node, data, expected = forged
        name = f"forged{kind[kind.index('_', 1) :]}"
        if self._world.scenario.secure:  # keys are asked for, and a report is none
            expected = (*expected, "secure", *(("decode", "peer") if "taken" in expected else ()))
        self._world.count(name)
        self._deliver(node, data, expected, name)

    def _deliver(self, node, data, expected, name):
        """Deliver a message; it must be refused for one of these reasons, and change no sum."""
        home = self._world.home
        faults = home.coordinator.tally.faults
        before, reported = dict(faults), self._reported()
        joined = set(home.coordinator.members.by_number)
        self._world.to_home(node, data)
        if not home.up:  # it died of something else at this moment
            return
        new = {r: n - before.get(r, 0) for r, n in faults.items() if n != before.get(r, 0)}
        require(self._reported() == reported, f"{name} was summed")
        if "taken" in expected and not new.keys() - {"decode", "peer"}:
            self._world.count(f"{name}.taken")
            return
        require(set(home.coordinator.members.by_number) == joined, f"{name} became a client")
        require(
            list(new.values()) == [1] and set(new) <= set(expected),
            f"{name}: expected {expected}, counted {new}",
        )
        self._world.count(f"refused.{next(iter(new))}")

    def _reported(self):
        open_ = self._world.home.coordinator.round
        return set(open_.reported) if open_ else set()

    # --- secure sums

    def _sums(self, other):
        """Return (address, answer) with messages of secure sums, of a node or of another one."""
        c, run = self._world.home.coordinator, self._world.genesis.run
        found = [(a, d, decode_answer(d, run)) for a, d, _ in self.tape if _is_masked(d, run)]
        found = [t for t in found if c.members.of(t[0]) is not None]
        return self._world.rng.choice(found) if found else None

    def _with_anothers_sums(self):
        heard, who = self._sums(True), self._member()
        if not (heard and who) or who[1].number == heard[2].client:
            return None
        return who[0], heard[1], ("identity", "round")

    def _with_anothers_sums_as_own(self):
        heard, who = self._sums(True), self._member()
        if not (heard and who) or who[1].number == heard[2].client:  # its own, from a node before
            return None
        lie = dataclasses.replace(heard[2], client=who[1].number)
        return who[0], encode_answer(lie), ("seal", "round")

    def _with_other_numbers(self):
        heard = self._sums(False)
        if not heard:
            return None
        last = heard[2].messages[-1]
        other = (*heard[2].messages[:-1], last[:-1] + bytes([last[-1] ^ 1]))
        return heard[0], encode_answer(dataclasses.replace(heard[2], messages=other)), (
            "seal", "round", "identity",
        )  # fmt: skip

    # --- whom and what

    def _member(self):
        """Return (address, member) of a node that speaks for a client."""
        c = self._world.home.coordinator
        found = [(m.node, m) for m in c.present]
        return self._world.rng.choice(found) if found else None

    def _open_plan(self):
        server = self._world.home.coordinator.server
        return server._plan_bytes if server.stage is Stage.OPEN else None

    def _heard(self, plan=None, other=None):
        found = [t for t in self.tape if t[2] and (plan is None or t[2] == plan)]
        found = [t for t in found if t[2] != other]
        return self._world.rng.choice(found) if found else None

    def _lie(self, change):
        """Return a client's own report to the open plan after a change, sealed as its own."""
        plan, who = self._open_plan(), self._member()
        heard = self._heard(plan) if plan else None
        if not (who and heard):
            return None
        node, member = who
        report = bytearray(decode_answer(heard[1], self._world.genesis.run).report)
        struct.pack_into("<I", report, CLIENT, member.number)
        expected = change(report, member)
        answer = Reported(bytes(report)).sealed(member.tag, plan)
        return node, encode_answer(answer), expected

    # --- the forgeries; each returns (node, data, reasons that it may be refused for)

    def _as_noise(self):
        node = self._world.rng.choice([1000, 1001, STRANGER])
        data = self._world.rng.randbytes(self._world.rng.randrange(120))
        if self._world.rng.random() < 0.5:
            data = b"\x61\x01" + bytes([self._world.rng.randrange(4)]) + data
        return node, data, ("decode", "node", "round")

    def _as_stranger(self):
        heard = self._heard()
        return heard and (STRANGER, heard[1], ("node",))

    def _as_stranger_who_holds(self):
        holds = Holds(self._world.rng.randbytes(16), None, None)
        return STRANGER, encode_answer(holds, self._world.genesis.run), ("node",)

    def _as_another_run(self):
        who = self._member()
        answers = other_run.messages(self._world.scenario.roster)[1]
        data = self._world.rng.choice(answers)
        return who and (who[0], data, ("decode", "run", "identity", "round"))

    def _as_anothers_name(self):
        plan, who = self._open_plan(), self._member()
        heard = plan and self._heard(plan)
        if not (who and heard) or who[0] == heard[0]:
            return None
        data = decode_answer(heard[1], self._world.genesis.run).report
        theirs = struct.unpack_from("<I", data, CLIENT)[0] != who[1].number
        return (who[0], heard[1], ("identity",)) if theirs else None

    def _as_anothers_name_under_own_seal(self):
        return self._lie(lambda report, member: self._number(report, member.number + 1))

    def _number(self, report, number):
        struct.pack_into("<I", report, CLIENT, number)
        return ("identity",)

    def _as_changed_numbers(self):
        """Another client's report, given out as one's own, without knowing that one's tag."""
        plan, who = self._open_plan(), self._member()
        heard = plan and self._heard(plan)
        if not (who and heard):
            return None
        answer = decode_answer(heard[1], self._world.genesis.run)
        report = bytearray(answer.report)
        struct.pack_into("<I", report, CLIENT, who[1].number)
        report[VALUES] ^= 1
        return who[0], encode_answer(Reported(bytes(report), answer.evaluation, answer.seal)), (
            "seal", "decode",
        )  # fmt: skip

    def _as_other_length(self):
        def change(report, member):
            report.extend(b"\0\0") if self._world.rng.random() < 0.5 else report.pop()
            return ("decode",)

        return self._lie(change)

    def _as_out_of_range(self):
        def change(report, member):
            report[VALUES : VALUES + 2] = b"\xff\xff"
            return ("decode",)

        return self._lie(change)

    def _as_heavy(self):
        def change(report, member):
            struct.pack_into("<I", report, WEIGHT, self._world.rng.choice((0, 2, 2**32 - 1)))
            return ("decode",)

        return self._lie(change)

    def _as_other_round(self):
        def change(report, member):
            round_ = struct.unpack_from("<I", report, ROUND)[0]
            struct.pack_into("<I", report, ROUND, round_ + 1)
            return ("round",)

        return self._lie(change)

    def _as_run_of_none(self):
        def change(report, member):
            report[RUN] ^= 255
            return ("run",)

        return self._lie(change)

    def _as_all_nonfinite(self):
        def change(report, member):
            report[NONFINITE : NONFINITE + 4] = report[NONFINITE - 16 : NONFINITE - 12]  # all K
            asked = member.number in self._world.home.coordinator.round.asked
            return ("nonfinite",) if asked else ("cohort",)

        return self._lie(change)

    def _as_not_asked_or_twice(self):
        open_ = self._world.home.coordinator.round
        rounds_own = []

        def change(report, member):
            rounds_own.append(member.number in open_.awaited() or member.number in open_.lost)
            return ("twice",) if member.number in open_.asked else ("cohort",)

        forged = self._lie(change)
        # A well-formed lie of a client that is awaited is its own affair: nobody can tell.
        return None if forged is None or rounds_own[0] else forged

    def _as_replay_of_earlier(self):
        plan = self._open_plan()
        heard = self._heard(other=plan)
        c = self._world.home.coordinator
        if not (plan and heard) or c.members.of(heard[0]) is None:
            return None
        if decode_plan(heard[2]).round >= c.server.state.round:
            return None  # answers a plan that was changed on its way
        again = self._is_of_round_before(c, c.members.of(heard[0]).number, heard[1])
        expected = ("twice", "decode") if again else ("round", "decode", "identity")
        return heard[0], heard[1], expected

    def _is_of_round_before(self, c, number, answer):
        """Return whether a report was summed in the round before, so that it comes twice."""
        report, before = decode_answer(answer, self._world.genesis.run).report, c._before
        of = struct.unpack_from("<II", report, ROUND)
        return before is not None and of == (before.number, number) and number in before.reported

    def _holds(self, node, tag, claim, expected):
        return node, encode_answer(Holds(tag, claim, None), self._world.genesis.run), expected

    def _as_claim_too_high(self):
        who = self._member()
        tag = self._world.rng.randbytes(16)
        return who and self._holds(who[0], tag, self._world.scenario.roster, ("claim",))

    def _as_claim_of_another(self):
        who = self._member()
        tag = self._world.rng.randbytes(16)
        return who and self._holds(who[0], tag, who[1].number, ("identity",))

    def _as_anothers_tag(self):
        """Refused while that client is connected; else its place is taken until it is asked."""
        who, members = self._member(), self._world.home.coordinator.members
        if who is None:
            return None
        victim = self._world.rng.choice(sorted(members.by_number.values(), key=lambda m: m.number))
        if victim.node == who[0]:
            return None
        connected = victim.node in self._world.home.coordinator.online
        return self._holds(who[0], victim.tag, None, ("identity",) if connected else ("taken",))

    def _as_one_more_client(self):
        who, members = self._member(), self._world.home.coordinator.members
        if who is None:
            return None
        given = {m.first for m in members.by_number.values()}
        free = [m.node for m in self._world.home.coordinator.present if m.node not in given]
        full = len(members.by_number) == members.clients
        tag = client_tag(self._world.rng.randbytes(32), self._world.genesis.run)
        if free and not full:
            return self._holds(free[0], tag, None, ("taken",))
        if not full and who[0] not in given:
            return None
        return self._holds(who[0], tag, None, ("full" if full else "identity",))
