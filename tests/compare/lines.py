"""Lines of results made by hand; imports nothing, so that a process of them starts at once."""


def costs(rounds, evaluations=10, gradients=0):
    """Running totals after so many rounds, the same each round."""
    return {
        "rounds": rounds, "evaluations": evaluations * rounds, "gradients": gradients * rounds,
        "bytes_up": 2.0 * rounds, "bytes_down": 3.0 * rounds, "bytes": 5.0 * rounds,
        "seconds": 0.5 * rounds,
    }  # fmt: skip


def worked(cell, accuracy=0.8, best=0.04, gradients=0, peak=200e6, each=10):
    """The line of a cell, as a worker and the runner would make it."""
    head = {"cell": cell.id, "kind": cell.kind, "contender": cell.contender, **cell.about}
    rounds = cell.settings["rounds"]
    if cell.kind == "pilot":
        totals = [costs(r + 1, each, gradients) for r in range(rounds)]
        engine = {**cell.settings["engine"], "chunk": 16}
        return head | {"costs": totals, "engine": engine, "dimension": 5}
    if cell.kind == "trial":
        loss = abs(cell.about["step_size"] / best - 1)
        return head | {"loss": loss, "rounds": rounds, "costs": costs(rounds, each)}
    if cell.kind == "memory":
        return head | {"peak": peak, "idle": 0.9 * peak}
    every = cell.settings["output"]["evaluate_every"]
    tested = sorted({*range(every, rounds + 1, every), rounds})
    curve = [
        costs(r, each, gradients)
        | {"test_accuracy": accuracy * r / rounds, "test_loss": 0.5, "loss": 0.4}
        for r in tested
    ]
    step = cell.settings["update"]["step_size"]
    return head | {"curve": curve, "step_size": step, "rounds": rounds, "dimension": 5}
