"""Many blocks on several processes; what is done is on disk, and is not done again."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tools.fuzz.attack import attack
from tools.fuzz.registry import TARGETS, code

BLOCK = 20_000
METERED = 500  # a block
ROOM = 1 << 30  # bytes of address space that a process may take beyond what it begins with

Line = dict[str, Any]


@dataclass(frozen=True)
class Block:
    """Inputs `number` · 20,000 and on of one decoder."""

    decoder: str
    key: int
    number: int
    inputs: int


def blocks(decoders: Sequence[str], key: int, inputs: int) -> Iterator[Block]:
    """Yield the blocks that make so many inputs to each decoder."""
    for number, start in enumerate(range(0, inputs, BLOCK)):
        for decoder in decoders:
            yield Block(decoder, key, number, min(BLOCK, inputs - start))


def run(block: Block, metered: int = METERED) -> Line:
    """Do one block and return what came of it."""
    key = (block.key, code(block.decoder), block.number)
    result = attack(TARGETS[block.decoder](), key, block.inputs, metered)
    return {**vars(block), **vars(result)}


def done(out: Path) -> list[Line]:
    """Return the lines of a file; one that was cut short is left out, and its block done again."""
    lines = []
    for text in out.read_text().splitlines() if out.exists() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def run_all(wanted: Sequence[Block], out: Path, jobs: int) -> Iterator[Line]:
    """Do the blocks that a file lacks, add each to it, and yield it."""
    have = {(i["decoder"], i["key"], i["number"], i["inputs"]) for i in done(out)}
    left = [b for b in wanted if (b.decoder, b.key, b.number, b.inputs) not in have]
    with out.open("a") as file, get_context("spawn").Pool(jobs, _bounded) as pool:
        if out.stat().st_size and not out.read_bytes().endswith(b"\n"):
            file.write("\n")
        for line in pool.imap_unordered(run, left):
            file.write(json.dumps(line) + "\n")
            file.flush()
            yield line


def _bounded() -> None:
    """Let an allocation without bound fail here instead of on the machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
