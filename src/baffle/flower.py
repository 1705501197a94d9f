"""`baffle.flower`: a federation on Flower, in a few lines of one's own app.

    # server_app.py                                  # client_app.py
    from baffle.flower import server_app             from baffle.flower import client_app
    app = server_app()                               app = client_app()

Without arguments, model and data are those that Flower's run configuration names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from baffle.drivers.fleet.run import FleetRun

__all__ = ["client_app", "server_app"]


def server_app(
    config: Mapping[str, Any] | None = None,
    make_model: Callable[[], nn.Module] | None = None,
    test: Any | None = None,
    loss: Callable[[Any, Any], Tensor] | None = None,
) -> Any:
    """Return a Flower ServerApp that runs a fleet.

    Its run folder is that of a local run. Killed and started again with the same configuration, it
    goes on where its ledger ends.

    Args:
        config: settings by section, as for `baffle.federate`, and "fleet" (see
            `baffle.config.FleetSettings`); Flower's run configuration wins over it.
        make_model: makes the model whose weights the run begins with; None for the named one.
        test: (inputs, targets), a data set, or a function that makes one; to evaluate on at the
            server. Named data bring their own.
        loss: (output, target) to the batch's mean loss; cross-entropy by default.

    Raises:
        ImportError: Flower is not installed; install baffle[flower].

    Example:
        >>> app = server_app({"rounds": 100, "update": {"step_size": 0.02}})  # doctest: +SKIP
    """
    from flwr.serverapp import ServerApp

    app = ServerApp()

    @app.main()
    def main(grid: Any, context: Any) -> None:
        _serve(grid, context, config, make_model, test, loss)

    return app


def client_app(
    make_model: Callable[[], nn.Module] | str | None = None,
    make_data: Callable[[Mapping[str, Any]], Any] | str | None = None,
    loss: Callable[[Any, Any], Tensor] | str | None = None,
) -> Any:
    """Return a Flower ClientApp that answers with loss differences.

    Flower starts a process for every message. Name the functions, as "package.module:function":
    then that process does not import them, and one that outlives it loads model and data once.
    Functions themselves do as well, at the price of importing their module for every message; what
    has no importable name, a lambda for example, is called anew each time.

    Args:
        make_model: makes the model; its weights do not matter, its frozen ones do.
        make_data: the node's configuration (`--node-config`) to its data: (inputs, targets) or a
            data set, or a pair of those, the second held out for evaluation.
        loss: (output, target) to the batch's mean loss; cross-entropy by default.

    Raises:
        ImportError: Flower is not installed; install baffle[flower].

    Example:
        >>> app = client_app("digits.task:make_model", "digits.task:make_data")  # doctest: +SKIP
    """
    from baffle.drivers.flower.client import make_client_app

    return make_client_app(make_model, make_data, loss)


def _serve(
    grid: Any, context: Any, config: Mapping[str, Any] | None, make_model: Any, test: Any, loss: Any
) -> None:
    from safetensors.numpy import save_file
    from torch.nn.functional import cross_entropy

    from baffle.api.run import MODEL, draw_if_possible
    from baffle.drivers.fleet.task import server_task
    from baffle.drivers.flower.server import serve_grid
    from baffle.drivers.local.task import OWN_TASK
    from baffle.report import summarise

    def done(run: FleetRun) -> None:
        save_file(run.served(), run.folder / MODEL)
        draw_if_possible(run.folder)

    _log_through_flower()
    own = OWN_TASK if make_model is not None else {}
    served = serve_grid(
        grid,
        context.run_config,
        (config or {}, own),
        lambda settings: server_task(settings, make_model, test, loss or cross_entropy),
        _say,
        done,
    )
    folder = served.run.folder
    _log(f"run folder {folder}\n{summarise(folder).as_json()}")


def _say(row: Mapping[str, Any]) -> None:
    """Log a round's line; Flower's log is what `flwr log` and `flwr run --stream` show."""
    accuracy = row.get("test_accuracy")
    tested = f"  accuracy {accuracy:.4f}" if accuracy is not None else ""
    seconds = row["round_seconds"]
    _log(
        f"round {row['round']}  loss {row['loss']:.4f}{tested}  reports {row['reports']} of "
        f"{row['asked']}  {seconds:.2f} s  digest {row['digest'][:16]}"
    )


def _log_through_flower() -> None:
    """Let our log lines go where Flower's go, so that `flwr log` shows them."""
    import logging

    from flwr.common.logger import FLOWER_LOGGER

    ours = logging.getLogger("baffle")
    ours.handlers, ours.propagate = FLOWER_LOGGER.handlers, False
    ours.setLevel(logging.INFO)


def _log(text: str) -> None:
    from logging import INFO

    from flwr.common.logger import log

    for line in text.splitlines():
        log(INFO, "%s", line)
