"""The fuzzer finds what it is there to find: decoders with a flaw planted in them."""

import json
import time

import numpy as np
import pytest

from baffle.errors import DecodeError
from baffle.protocol import decode_plan
from tools.fuzz import texts
from tools.fuzz.__main__ import main
from tools.fuzz.attack import attack
from tools.fuzz.binary import Outcomes, Plans
from tools.fuzz.draws import Draws
from tools.fuzz.jobs import Block, blocks, run
from tools.fuzz.mutations import MUTATIONS, Sample, mutated


class Crashes(Plans):
    def decode(self, case):
        return decode_plan(case.data) if case.data[-1:] else case.data[0]


class Lenient(Plans):
    """Takes a plan with something behind it."""

    def decode(self, case):
        scales = int.from_bytes(case.data[104:106], "little")
        return decode_plan(case.data[: 106 + scales])


class Greedy(Outcomes):
    """Allocates by a count before it has looked at the length."""

    def decode(self, case):
        if len(case.data) >= 95:
            np.zeros(min(int.from_bytes(case.data[91:95], "little"), 2**24), np.int64)
        return super().decode(case)


class Slow(Plans):
    def decode(self, case):
        if case.data[62:66] == b"\xff" * 4:  # K, where a field was attacked
            until = time.thread_time() + 0.06
            while time.thread_time() < until:
                pass
        return decode_plan(case.data)


class Warns(Plans):
    def decode(self, case):
        plan = decode_plan(case.data)
        np.float32(plan.step_size * 1e30)
        return plan


class Strict(Plans):
    """Refuses valid plans of odd rounds."""

    def decode(self, case):
        plan = decode_plan(case.data)
        if plan.round % 2:
            raise DecodeError("odd")
        return plan


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (Crashes, "raised IndexError"),
        (Lenient, "accepted although wrong: encoding"),
        (Slow, "took "),
        (Warns, "raised RuntimeWarning"),
        (Strict, "a valid one was refused"),
    ],
)
def test_a_planted_flaw_is_found(target, found):
    result = attack(target(), (0, 0, 0), 1500)
    assert result.failed
    assert any(found in failure for failure in result.failures)


def test_an_allocation_by_a_count_is_found():
    result = attack(Greedy(), (0, 2, 0), 0, 400)
    assert any("bytes of memory for" in failure for failure in result.failures)


def test_equal_keys_give_equal_inputs():
    first, again, other = (attack(Plans(), key, 500) for key in ((1,), (1,), (2,)))
    assert (first.accepted, first.reasons) == (again.accepted, again.reasons)
    assert first.accepted != other.accepted


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_mutation_takes_any_bytes(mutation):
    draws = Draws(3)
    for length in (0, 1, 2, 50):
        sample = Sample(draws.bytes(length), ((0, 4), (length // 2, 8)))
        for _ in range(50):
            data = bytearray(draws.bytes(draws.below(length + 1)))
            mutation(draws, data, sample, Sample(b""))


def test_most_mutations_change_something():
    draws, sample = Draws(4), Sample(bytes(range(200)), ((10, 4), (50, 8)))
    same = sum(mutated(draws, sample, [sample]) == sample.data for _ in range(1000))
    assert same < 100


def test_tokens_make_up_their_text():
    text = json.dumps({"a": [1, -2.5e-8, True, None, 'x"\\u0041'], "b": {}}, indent=1)
    assert "".join(texts.tokens(text)) == text


def test_what_is_done_is_not_done_again(tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    options = ["--decoder", "plan", "--inputs", "300", "--out", str(out)]
    assert main(options) == 0
    first = out.read_text()
    assert main(options) == 0
    assert out.read_text() == first
    assert "300" in capsys.readouterr().out
    out.write_text(first + first[:40])  # killed while it wrote
    assert main(options) == 0
    assert out.read_text().startswith(first)


def test_blocks_make_up_the_inputs():
    found = list(blocks(["plan", "row"], 0, 50_000))
    assert [b.inputs for b in found if b.decoder == "row"] == [20_000, 20_000, 10_000]
    line = run(Block("plan", 0, 0, 100), metered=3)
    assert (line["inputs"], line["metered"], line["failed"]) == (100, 3, 0)
    json.dumps(line)
