"""A worker that makes lines up instead of training; `python worker.py MODE`."""

import json
import os
import sys
from types import SimpleNamespace

from lines import worked


def answer(mode, asked):
    cell = SimpleNamespace(**asked)
    cell.id = " ".join(filter(None, (cell.contender, cell.kind, cell.detail)))
    if mode == "die" and cell.contender == "baffle-paper":
        sys.stderr.write("out of memory\n")
        os._exit(9)
    if mode == "refuse" and cell.contender == "baffle-paper":
        return {"error": "no such data"}
    if mode == "no memory" and (cell.contender, cell.kind) == ("baffle-paper", "memory"):
        return {"error": "too small"}
    head = ("cell", "kind", "contender", *cell.about)
    return {"line": {k: v for k, v in worked(cell).items() if k not in head}}


for text in sys.stdin:
    sys.stdout.write(json.dumps({"progress": {"round": 1, "rounds": 9, "loss": None}}) + "\n")
    sys.stdout.write(json.dumps(answer(sys.argv[1], json.loads(text))) + "\n")
    sys.stdout.flush()
