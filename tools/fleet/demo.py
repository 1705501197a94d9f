"""`make fleet`: a real federation on loopback that is killed piece by piece and loses nothing.

One SuperLink with TLS and node authentication, three SuperNodes with keys made on the spot, digits.
The same run is first made in this process, undisturbed. Then the fleet makes it, while the
ServerApp, a SuperNode and the SuperLink are killed. At the end the digests of all rounds are
compared. With `--secure` reports go into secure sums in both, and nothing is killed unless
`--kills` says so: a sum that is interrupted is not made again, so its round is abandoned.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baffle.drivers.fleet.key import server_key
from baffle.protocol.exchange.signed import public_bytes
from tools.fleet.deployment import Deployment
from tools.fleet.simulation import simulate

APP = Path(__file__).parents[2] / "examples" / "flower"
NODES = 3
SERVER_KEY = "asks.pem"
CONFIG: dict[str, Any] = {
    "federation": {"clients": NODES, "participation": 1.0, "min_reports": 1},
    "probe": {"num_directions": 64, "batch": 32},
    "update": {"step_size": 0.02},
    "engine": {"chunk": 64, "threads": 1, "clients": 1, "route": "rank_one"},
    "output": {"evaluate_every": 4},
}
# No single client says what it finds on its own examples where sums are secure.
SECURE_FLEET = {"fleet.evaluate-every": 0}
SECURE: dict[str, Any] = {"secure": {"sums": True, "min_group": NODES, "dropout": 0.3}}
# The run's own settings as Flower's run configuration, and how the fleet waits here.
FLEET = {
    "fleet.secrets": "simulated",  # so that the run in this process can be the same
    "fleet.deadline": 240.0,
    "fleet.gather": 240.0,
    "fleet.remind": 20.0,
    "fleet.min-clients": NODES,
}
LIMIT_SECONDS = 1800.0


def config_of(secure: bool) -> dict[str, Any]:
    """Return the run's settings, with secure sums or reports in the clear."""
    return CONFIG | SECURE if secure else CONFIG


def undisturbed(rounds: int, folder: Path, config: dict[str, Any] = CONFIG) -> list[str]:
    """Return the digests of all rounds of the run in one process, by `baffle.federate`."""
    import torch

    import baffle

    sys.path.insert(0, str(APP))
    task = importlib.import_module("digits.task")
    data = [task.make_data({"partition-id": n, "num-partitions": NODES})[0] for n in range(NODES)]
    found = baffle.federate(
        task.make_model(),
        data,
        loss=torch.nn.functional.cross_entropy,
        rounds=rounds,
        test=task.test_data(),
        run_dir=folder,
        config=config,
    )
    return [row["digest"] for row in found.history]


def app_config(
    rounds: int, folder: Path, run_dir: Path, config: dict[str, Any] = CONFIG
) -> dict[str, Any]:
    """Return Flower's run configuration of that run.

    Args:
        rounds: of the run.
        folder: where the server's key lies.
        run_dir: of the run.
        config: its settings.
    """
    flat = {
        f"{section}.{name.replace('_', '-')}": value
        for section, values in config.items()
        for name, value in values.items()
    }
    places = {"fleet.run-dir": str(run_dir), "fleet.server-key": str(folder / SERVER_KEY)}
    waiting = FLEET | (SECURE_FLEET if "secure" in config else {})
    return {**flat, **waiting, **places, "rounds": rounds}


def node_configs(folder: Path) -> list[dict[str, Any]]:
    """Return the nodes' configurations: a folder each, and the key of the server they answer."""
    folder.mkdir(parents=True, exist_ok=True)
    common = {
        "num-partitions": NODES,
        "server-key": public_bytes(server_key(folder / SERVER_KEY)).hex(),
    }
    return [
        {"partition-id": n, "state-dir": str(folder / f"state-{n}"), **common} for n in range(NODES)
    ]


def rows_of(run_dir: Path) -> list[dict[str, Any]]:
    """Return the rounds that are in the run's metrics so far."""
    path = run_dir / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


@dataclass
class Fleet:
    """A deployment, its run, and what is done to it.

    Args:
        deployment: up.
        run_dir, config: of the run.
        say: prints a line.
    """

    deployment: Deployment
    run_dir: Path
    config: dict[str, Any]
    say: Callable[[str], None]
    run: int = 0
    kills: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Submit the run; one that is in the folder goes on."""
        self.run = self.deployment.run(APP, self.config)

    def kill_server(self) -> None:
        """Kill the process that runs the rounds, and submit the run anew."""
        self.deployment.kill_server_app()
        self.start()

    def kill_superlink(self) -> None:
        """Kill the SuperLink with all that it started, start it, and submit the run anew."""
        self.deployment.kill_superlink()
        self.deployment.start_superlink()
        self.start()

    def kill_node(self, number: int) -> None:
        """Kill a SuperNode with all that it started, and start it again."""
        self.deployment.kill_node(number)
        self.deployment.sign_off(number)
        self.deployment.start_node(number)

    def kill(self, what: str) -> None:
        """Kill "server", "superlink" or a node's number."""
        self.kills.append(what)
        begun = time.monotonic()
        if what == "server":
            self.kill_server()
        elif what == "superlink":
            self.kill_superlink()
        else:
            self.kill_node(int(what))
        name = f"SuperNode {what}" if what.isdigit() else what
        self.say(f"killed the {name} and started it again, {time.monotonic() - begun:.1f} s")

    def follow(self, rounds: int, plan: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
        """Wait for the last round; kill what the plan says after its rounds. Returns the rows."""
        todo, seen, until = list(plan), 0, time.monotonic() + LIMIT_SECONDS
        while True:
            rows = rows_of(self.run_dir)
            for row in rows[seen:]:
                self._say_row(row)
            seen = len(rows)
            if todo and seen >= todo[0][0]:
                self.kill(todo.pop(0)[1])
            elif seen >= rounds:
                return rows
            self._require_alive(until)
            time.sleep(0.3)

    def _say_row(self, row: dict[str, Any]) -> None:
        tested = row.get("test_accuracy")
        loss = "none " if row["loss"] is None else f"{row['loss']:.3f}"  # of an abandoned round
        self.say(
            f"round {row['round']:>3}  loss {loss}  reports {row['reports']}"
            f"  {row.get('round_seconds', 0.0):5.1f} s  digest {row['digest'][:12]}"
            + (f"  accuracy {tested:.3f}" if tested is not None else "")
        )

    def _require_alive(self, until: float) -> None:
        state = self.deployment.state(self.run)
        if state.over and not state.completed:
            raise RuntimeError(
                f"the run ended as {state.status} ({state.details}):\n"
                + self.deployment.log("superlink", 30)
            )
        if time.monotonic() > until:
            raise RuntimeError(f"not done after {LIMIT_SECONDS:.0f} s")


def planned(rounds: int) -> list[tuple[int, str]]:
    """Return the kills of the demonstration: after how many rounds, and what."""
    return [(rounds // 4, "server"), (rounds // 2, "1"), (3 * rounds // 4, "superlink")]


def drawn(rounds: int, kills: int, key: int) -> list[tuple[int, str]]:
    """Return random kills, as many as wanted."""
    rng = random.Random(key)
    after = sorted(rng.choices(range(1, rounds), k=kills))
    return [(at, rng.choice(["server", "superlink", "0", "1", "2"])) for at in after]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration and return 0 if the digests agree."""
    parser = argparse.ArgumentParser(prog="python -m tools.fleet.demo", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--kills", type=int, default=-1, help="random ones instead of the planned")
    parser.add_argument("--key", type=int, default=0, help="of the random kills")
    parser.add_argument(
        "--simulation", action="store_true", help="make the run in Flower's simulation as well"
    )
    parser.add_argument("--secure", action="store_true", help="with secure sums")
    parser.add_argument("--keep", type=Path, help="folder for logs, keys and the run; kept")
    parser.add_argument("--output", type=Path, help="file for the figures, as JSON")
    asked = parser.parse_args(arguments)
    logging.getLogger("baffle").setLevel(logging.ERROR)
    # So that everything is stopped, also when a shell started this in the background.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    scratch = Path(tempfile.mkdtemp(prefix="baffle-fleet-"))
    try:
        return _demonstrate(asked, asked.keep or scratch)
    except KeyboardInterrupt:
        print("stopped; no process is left", flush=True)
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _demonstrate(asked: argparse.Namespace, folder: Path) -> int:
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)

    say(f"undisturbed: {asked.rounds} rounds in this process")
    config = config_of(asked.secure)
    expected = undisturbed(asked.rounds, folder / "undisturbed", config)
    say(f"digest {expected[-1][:16]}…")
    simulated = _in_simulation(asked.rounds, folder, config, say) if asked.simulation else expected
    kills = 0 if asked.secure and asked.kills < 0 else asked.kills
    plan = planned(asked.rounds) if kills < 0 else drawn(asked.rounds, kills, asked.key)
    say(f"a SuperLink with TLS, {NODES} SuperNodes with keys, on loopback")
    with Deployment(folder, node_configs(folder)) as deployment:
        say("up")
        fleet = Fleet(
            deployment,
            folder / "run",
            app_config(asked.rounds, folder, folder / "run", config),
            say,
        )
        fleet.start()
        rows = fleet.follow(asked.rounds, plan)
        _wait_for_end(fleet)
    found = [row["digest"] for row in rows]
    figures = {
        "rounds": asked.rounds,
        "kills": fleet.kills,
        "same": found == expected == simulated,
        "digest": found[-1],
        "expected": expected[-1],
        "faults": rows[-1]["faults"],
        "bytes_up": [row["bytes_up"] for row in rows],
        "bytes_down": [row["bytes_down"] for row in rows],
        "round_seconds": [row.get("round_seconds") for row in rows],
        "seconds": time.monotonic() - begun,
    }
    if asked.output:
        asked.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if asked.secure and plan:
        return _gone_on(say, [row["reports"] for row in rows])
    return _verdict(say, figures)


def _gone_on(say: Callable[[str], None], reports: Sequence[int]) -> int:
    """Tell how a run of secure sums went on; an interrupted sum is not made again."""
    summed = sum(count > 0 for count in reports)
    say(f"{len(reports)} rounds: {summed} summed, {len(reports) - summed} abandoned")
    return int(not reports[-1])


def _in_simulation(
    rounds: int, folder: Path, config: dict[str, Any], say: Callable[[str], None]
) -> list[str]:
    """Return the digests of all rounds in Flower's simulation."""
    say("the same in Flower's simulation")
    flat = app_config(rounds, folder, folder / "simulation", config)
    simulate(APP, flat, NODES, folder / "simulation-home")
    digests = [row["digest"] for row in rows_of(folder / "simulation")]
    say(f"{len(digests)} rounds, digest {(digests or ['none'])[-1][:16]}…")
    return digests


def _wait_for_end(fleet: Fleet) -> None:
    state = fleet.deployment.wait(fleet.run, 120)
    if not state.completed:
        raise RuntimeError(f"the last run ended as {state.status}: {state.details}")


def _verdict(say: Callable[[str], None], figures: dict[str, Any]) -> int:
    killed = (
        ", ".join(f"SuperNode {k}" if k.isdigit() else k for k in figures["kills"]) or "nothing"
    )
    digest = figures["digest"]
    if figures["same"]:
        say(
            f"SAME: {figures['rounds']} rounds, killed: {killed}; digest {digest[:16]}… is that of "
            "the undisturbed run, in every round"
        )
        return 0
    say(f"DIFFERENT: killed: {killed}; digest {digest[:16]}…, expected {figures['expected'][:16]}…")
    return 1


if __name__ == "__main__":
    sys.exit(main())
