"""Seeds in several processes, and what is kept of each."""

import json
import multiprocessing
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.fleet.chaos.simulation import simulate


def one(job):
    """Run a seed; returns what is kept of it."""
    seed, rounds, clients, secure = job
    started, failure, counts = time.process_time(), None, {}
    try:
        counts = simulate(seed, rounds, clients, secure)
    except BaseException as problem:
        where = traceback.extract_tb(problem.__traceback__)[-1]
        failure = (
            f"{type(problem).__name__}: {problem} ({Path(where.filename).name}:{where.lineno})"
        )
    seconds = round(time.process_time() - started, 2)
    shape = {"seed": seed, "rounds": rounds, "clients": clients, "secure": secure}
    return {**shape, "seconds": seconds, "failure": failure, "counts": dict(counts)}


def finished(path, rounds, clients, secure):
    """Return the seeds of a file by number, those of this shape; a cut last line is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if (row["rounds"], row["clients"], row.get("secure", False)) == (rounds, clients, secure):
            found[row["seed"]] = row
    return found


def command(row):
    """Return what repeats a seed."""
    shape = f"--rounds {row['rounds']} --clients {row['clients']}"
    shape += " --secure" if row["secure"] else ""
    return f".venv/bin/python -m tests.fleet.chaos --first {row['seed']} --seeds 1 {shape}"


def run(jobs, workers, out):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        for done in as_completed([pool.submit(one, job) for job in jobs]):
            row = done.result()
            if row["failure"]:
                print(f"FAILED {row['failure']}\n  {command(row)}", flush=True)
            if out:
                with out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            yield row
