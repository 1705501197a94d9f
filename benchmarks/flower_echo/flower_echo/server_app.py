"""Rounds of bytes to every node and back, on the transport that baffle's own app uses."""

import json
import logging
import os
import time
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from baffle.drivers.flower.records import split
from baffle.drivers.flower.transport import Ask, GridTransport

app = ServerApp()
log = logging.getLogger("flwr")


@app.main()
def main(grid: Grid, context: Context) -> None:
    began = time.time()
    config = context.run_config
    link = GridTransport(grid)
    nodes = wait_for(link, int(config["nodes"]), float(config["deadline"]))
    waited = time.time() - began
    rows = [one_round(link, nodes, number, config) for number in range(int(config["rounds"]))]
    result = {"began": began, "waited": waited, "rounds": rows, "bytes": vars(link.bytes)}
    log.info("echo %s", json.dumps(result))
    if config["output"]:
        Path(str(config["output"])).write_text(json.dumps(result))


def wait_for(link: GridTransport, count: int, patience: float) -> list[int]:
    until = time.monotonic() + patience
    while len(nodes := sorted(link.nodes())) < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{len(nodes)} of {count} nodes after {patience} s")
        time.sleep(0.1)
    return nodes[:count]


def one_round(link: GridTransport, nodes: list[int], number: int, config: dict) -> dict:
    """Return the seconds until each node's reply, and those of the push."""
    body = int(config["up"]).to_bytes(8, "big").ljust(int(config["down"]), b"\0")
    chunks = split(os.urandom(int(config["chunks"])))  # the same for all nodes, as a snapshot is
    start, at = time.monotonic(), time.time()
    deadline = float(config["deadline"])
    link.send_many([Ask(node, [body, *chunks], deadline, str(number)) for node in nodes])
    pushed, arrived = time.monotonic() - start, []
    problems = []
    while len(arrived) + len(problems) < len(nodes) and time.monotonic() < start + deadline:
        time.sleep(float(config["poll"]))
        for reply in link.poll():
            if reply.problem:
                problems.append(reply.problem)
            else:
                arrived.append(time.monotonic() - start)
    return {
        "round": number,
        "at": at,
        "seconds": time.monotonic() - start,
        "push": pushed,
        "arrived": arrived,
        "problems": problems,
    }
