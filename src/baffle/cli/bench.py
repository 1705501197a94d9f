"""Commands that measure this machine: bench throughput, profile, rebuild, memory, simulate,
secagg, device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Measure speed and memory on this machine.", no_args_is_help=True, rich_markup_mode=None
)

Models = Annotated[
    list[str] | None, typer.Option("--model", help="A module to measure; may be repeated.")
]
Batches = Annotated[
    list[int] | None, typer.Option("--batch", "-B", help="Examples a batch; may be repeated.")
]
Directions = Annotated[
    int | None, typer.Option("--directions", "-K", help="Directions K; 32 by default.")
]
Repeats = Annotated[int | None, typer.Option(help="Repeats of which the median counts.")]
Threads = Annotated[int, typer.Option(help="Threads; 0 for the best of one and all cores.")]
AllThreads = Annotated[int, typer.Option("--threads", help="Threads; 0 for all cores.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
SimulatedDirections = Annotated[
    int | None, typer.Option("--directions", "-K", help="Directions K; 64 by default.")
]
SimulatedBatch = Annotated[
    int | None, typer.Option("--batch", "-B", help="Examples a client; 8 by default.")
]
Quick = Annotated[bool, typer.Option("--quick", help="A smoke run of seconds; figures are rough.")]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object as the last line of standard output.")
]
File = Annotated[Path | None, typer.Option("--output", "-o", help="Write the JSON there as well.")]

QUICK_MODELS, QUICK_DIRECTIONS, QUICK_REPEATS = ("mlp", "lenet5"), 4, 3


@app.command()
def throughput(
    model: Models = None,
    batch: Batches = None,
    directions: Directions = None,
    repeats: Repeats = None,
    threads: Threads = 0,
    device: Device = "cpu",
    precision: Annotated[str, typer.Option(help="Of our probes alone: own or bfloat16.")] = "own",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Our passes of one point through torch.compile.")
    ] = False,
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """Examples a second through probes, over those of the best plain inference.

    Beside ours: the in-place randn loop, vmap over copies, training steps. A quarter of an hour.
    """
    from baffle.bench.modules import subject_of, subjects_on
    from baffle.bench.options import QUICK, Budget, Options
    from baffle.bench.throughput import throughput as measure
    from baffle.cli.bench_tables import throughput_table
    from baffle.cli.measuring import measured, require_batches

    options = Options(
        directions=_given(directions, QUICK_DIRECTIONS if quick else 32),
        repeats=_given(repeats, QUICK_REPEATS if quick else 9),
        device=device,
        threads=threads,
        precision=precision,
        compiled=compiled,
        budget=QUICK if quick else Budget(),
    )
    names = model or (QUICK_MODELS if quick and device == "cpu" else subjects_on(device))
    subjects = [subject_of(name) for name in names]
    batches = require_batches(batch)
    cases = [(s, b) for s in subjects for b in batches or s.batches[: 1 if quick else None]]
    work = lambda say: measure(cases, options, say)  # noqa: E731
    measured(work, len(cases), throughput_table, as_json, output, device)


@app.command()
def profile(
    model: Models = None,
    batch: Batches = None,
    directions: Directions = None,
    threads: Threads = 0,
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """Where the time of probes goes, beside that of plain inference."""
    from baffle.bench.modules import subject_of, subjects_on
    from baffle.bench.options import QUICK, Budget, Options
    from baffle.bench.profile import profiled
    from baffle.cli.bench_tables import profile_table
    from baffle.cli.measuring import measured, require_batches

    budget = QUICK if quick else Budget()
    count = _given(directions, QUICK_DIRECTIONS if quick else 32)
    options = Options(directions=count, threads=threads, budget=budget)
    names = model or (QUICK_MODELS if quick else subjects_on("cpu"))
    batches = require_batches(batch)
    subjects = [subject_of(name) for name in names]
    cases = [(s, b) for s in subjects for b in batches or s.batches[: 1 if quick else 2]]
    measured(lambda say: profiled(cases, options, say), len(cases), profile_table, as_json, output)


@app.command()
def rebuild(
    repeats: Repeats = None,
    threads: Annotated[int, typer.Option(help="Threads of both sides; 0 for all cores.")] = 1,
    device: Device = "cpu",
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """Seconds from summed integers to the estimate, beside the usual loop of Gaussian noise."""
    from baffle.bench.rebuild import RebuildOptions
    from baffle.bench.rebuild import rebuild as measure
    from baffle.cli.bench_tables import rebuild_table
    from baffle.cli.measuring import measured

    smoke: dict[str, Any] = {"layers": 1, "width": 64, "sample": 0.0} if quick else {}
    count = _given(repeats, QUICK_REPEATS if quick else 9)
    options = RebuildOptions(repeats=count, threads=threads, device=device, **smoke)
    measured(lambda say: measure(options, say), None, rebuild_table, as_json, output, device)


@app.command()
def memory(
    model: Models = None,
    batch: Batches = None,
    directions: Directions = None,
    repeats: Repeats = None,
    threads: AllThreads = 0,
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """Peak resident memory of probes, plain inference and training steps, in fresh processes."""
    from baffle.bench.memory import MemoryOptions
    from baffle.bench.memory import memory as measure
    from baffle.bench.modules import SUBJECTS, subject_of
    from baffle.cli.bench_tables import memory_table
    from baffle.cli.measuring import measured, require_batches

    options = MemoryOptions(
        directions=_given(directions, QUICK_DIRECTIONS if quick else 32),
        repeats=_given(repeats, 1 if quick else 3),
        threads=threads,
    )
    names = model or [name for name, s in SUBJECTS.items() if s.memory_batch]
    subjects = [subject_of(name) for name in (names[:1] if quick else names)]
    batches = require_batches(batch)
    cases = [(s.name, b) for s in subjects for b in batches or [s.memory_batch or s.batches[-1]]]
    measured(lambda say: measure(cases, options, say), len(cases), memory_table, as_json, output)


@app.command()
def simulate(
    model: Models = None,
    clients: Annotated[
        list[int] | None, typer.Option(help="Clients a round; may be repeated.")
    ] = None,
    directions: SimulatedDirections = None,
    batch: SimulatedBatch = None,
    repeats: Repeats = None,
    threads: Threads = 0,
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """Seconds a simulated round: clients one after another, and many in one pass.

    Unless some are named: the digits and LeNet, 10 to 10,000 clients a round.
    """
    from baffle.bench.simulate import SIMULATIONS, SimulateOptions, Simulation
    from baffle.bench.simulate import simulate as measure
    from baffle.cli.bench_tables import simulate_table
    from baffle.cli.measuring import measured

    options = SimulateOptions(repeats=_given(repeats, 1 if quick else 5), threads=threads)
    models, counts = model or ["mlp"], clients or ([10] if quick else [1_000])
    k, b = _given(directions, 64), _given(batch, 8)
    named = tuple(Simulation(m, c, k, b) for m in models for c in counts)
    any_named = any(given is not None for given in (model, clients, directions, batch))
    rows = named if any_named or quick else SIMULATIONS
    measured(lambda say: measure(rows, options, say), len(rows), simulate_table, as_json, output)


@app.command()
def secagg(
    clients: Annotated[
        str | None, typer.Option(help="Clients of a group, with commas between; 10,100,1000.")
    ] = None,
    directions: SimulatedDirections = None,
    repeats: Repeats = None,
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """Processor time and bytes of a secure sum: one client over a round, and the server.

    A real group is summed, once whole and once with clients gone. Two minutes.
    """
    from baffle.bench.secagg import CLIENTS, SecaggOptions
    from baffle.bench.secagg import secagg as measure
    from baffle.cli.bench_tables import secagg_table
    from baffle.cli.measuring import measured, require_numbers

    options = SecaggOptions(
        clients=require_numbers("clients", clients) or ((10,) if quick else CLIENTS),
        directions=_given(directions, 64),
        repeats=_given(repeats, QUICK_REPEATS if quick else 9),
    )
    rows = sum(len(options.absences(members)) for members in options.clients)
    measured(lambda say: measure(options, say), rows, secagg_table, as_json, output)


@app.command()
def device(
    model: Models = None,
    batch: Annotated[int, typer.Option("--batch", "-B", help="Examples a client.")] = 8,
    pass_batch: Annotated[
        int, typer.Option(help="Examples of an exported pass; 0 for a client's.")
    ] = 0,
    directions: SimulatedDirections = None,
    points: Annotated[str, typer.Option(help="Points of the exported passes.")] = "8,4,2",
    memory: Annotated[float, typer.Option(help="MiB to keep to; 0 for no bound.")] = 0.0,
    lean: Annotated[
        bool, typer.Option("--lean", help="Plain SGD and no average: one copy of the weights.")
    ] = False,
    repeats: Repeats = None,
    quick: Quick = False,
    as_json: Json = False,
    output: File = None,
) -> None:
    """A client without torch: memory of whole rounds, and its probes over plain inference.

    Beside it, in processes with torch: probes, a training step and a checkpointed one.
    """
    from baffle.bench.device import DeviceOptions
    from baffle.bench.device import device as measure
    from baffle.bench.modules import subject_of
    from baffle.cli.bench_tables import device_table
    from baffle.cli.measuring import measured, require_numbers

    options = DeviceOptions(
        directions=_given(directions, QUICK_DIRECTIONS if quick else 64),
        batch=batch,
        pass_batch=pass_batch,
        points=tuple(require_numbers("points", points)) or (2,),
        memory=memory,
        lean=lean,
        repeats=_given(repeats, QUICK_REPEATS if quick else 9),
    )
    names = model or (["lenet"] if quick else ["lenet", "wrn", "mobilenet_v2"])
    subjects = [subject_of(name) for name in names]
    rows = len(subjects)
    measured(lambda say: measure(subjects, options, say), rows, device_table, as_json, output)


def _given(value: int | None, default: int) -> int:
    return default if value is None else value
