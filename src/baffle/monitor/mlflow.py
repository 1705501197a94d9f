"""MLflow: settings as parameters, figures by round, run and digest as tags."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from baffle.monitor.base import Row
from baffle.monitor.figures import flat, scalars

RUN, DIGEST, EVENT = "baffle.run", "baffle.digest", "baffle.event"
MAX_PARAMS = 100  # in one request, MLflow's bound
MAX_VALUE = 5000  # characters of a parameter or tag; MLflow refuses more than 6,000

# Where the user has not said otherwise. MLflow retries for minutes when its server is gone, and
# the round would wait; it tells its makers of each use; and it refuses its own file store.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}


@contextmanager
def _defaults() -> Iterator[None]:
    """Set the environment variables that the user did not set, for the length of a call."""
    added = [name for name in DEFAULTS if name not in os.environ]
    os.environ.update({name: DEFAULTS[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


class MLflow:
    """Logs to a tracking server, a database or a folder.

    A run is found again by its tag `baffle.run`, so a resumed run goes on in the same place.

    Args:
        uri: tracking URI, for example "http://127.0.0.1:5000", "sqlite:///mlflow.db" or
            "file:///srv/mlruns".
        experiment: its name; made if missing.

    Raises:
        ImportError: mlflow or mlflow-skinny is not installed.

    Example:
        >>> monitor = MLflow("http://127.0.0.1:5000")  # doctest: +SKIP
    """

    def __init__(self, uri: str, experiment: str = "baffle") -> None:
        with _defaults():
            from mlflow.tracking import MlflowClient

            # The registry is not used; without its own URI MLflow would look for one elsewhere.
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.experiment = experiment
        self._run_id: str | None = None

    def begin(self, about: Mapping[str, Any]) -> None:
        """Find the run, or make it and log its settings."""
        with _defaults():
            experiment = self._experiment()
            found = self._client.search_runs([experiment], f"tags.`{RUN}` = '{about['run']}'")
            if found:
                self._run_id = found[0].info.run_id
                self._client.update_run(self._run_id, status="RUNNING")
                return
            tags = {RUN: about["run"], "baffle.run_dir": str(about["run_dir"])}
            name = Path(about["run_dir"]).name
            made = self._client.create_run(experiment, tags=tags, run_name=name)
            self._run_id = made.info.run_id
            self._log_settings(about.get("settings", {}))

    def row(self, row: Row) -> None:
        """Log a round's figures, and its digest as a tag, in one request."""
        from mlflow.entities import Metric, RunTag

        now = time.time_ns() // 1_000_000
        metrics = [Metric(tag, value, now, row["round"]) for tag, value in scalars(row)]
        tags = [RunTag(DIGEST, row["digest"])] if row.get("digest") else []
        with _defaults():
            self._client.log_batch(self._id(), metrics=metrics, tags=tags)

    def event(self, name: str, **fields: Any) -> None:
        """Keep the newest event of a name as a tag; before the run begins there is none."""
        if self._run_id is not None:
            with _defaults():
                text = json.dumps(fields, default=str)[:MAX_VALUE]
                self._client.set_tag(self._run_id, f"{EVENT}.{name}", text)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Log the totals; the run is finished, or killed if rounds are left."""
        whole = summary.get("rounds") == summary.get("rounds_planned")
        with _defaults():
            if summary.get("digest"):
                self._client.set_tag(self._id(), DIGEST, summary["digest"])
            self._client.set_terminated(self._id(), "FINISHED" if whole else "KILLED")
        self._run_id = None

    def close(self) -> None:
        """Say that a run failed if it did not come to its end."""
        run_id, self._run_id = self._run_id, None
        if run_id is not None:
            with _defaults():
                self._client.set_terminated(run_id, "FAILED")

    def _id(self) -> str:
        if self._run_id is None:
            raise ValueError("no run has begun, or this monitor is closed")
        return self._run_id

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(self.experiment))

    def _log_settings(self, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = (Param(name, _text(value)) for name, value in flat(settings).items())
        while batch := list(islice(params, MAX_PARAMS)):
            self._client.log_batch(self._id(), params=batch)


def _text(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.12g}"
    return str(value)[:MAX_VALUE]
