"""Prometheus: the newest figures at an HTTP endpoint, on this machine alone unless told so."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from baffle.errors import ConfigError
from baffle.monitor.base import Row
from baffle.monitor.figures import EACH, FIGURES, GAUGE, TOTAL, Figure, number, reasons

HOST = "127.0.0.1"


class Prometheus:
    """Serves `http://HOST:PORT/metrics` in the text format, until closed.

    Nothing but figures, the run's number and its algorithm's name is served; there is no
    encryption and no password, so another host than loopback belongs behind a proxy.

    Args:
        port: 0 for a free one; then `port` tells which.
        host: address to listen at.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.

    Example:
        >>> monitor = Prometheus(port=0)
        >>> monitor.close()
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self._figures = _Figures()
        registry = CollectorRegistry()  # its own: other packages' figures are not the run's
        registry.register(self._figures)
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except (OSError, OverflowError) as problem:
            raise ConfigError(
                f"Prometheus cannot listen at {host}:{port}: {problem}; give another port"
            ) from None
        self.host, self.port = host, self._server.server_port
        self._closed = False

    def begin(self, about: Mapping[str, Any]) -> None:
        """Say which run this is."""
        self._figures.begin(about)

    def row(self, row: Row) -> None:
        """Take a round's figures."""
        self._figures.row(row)

    def event(self, name: str, **fields: Any) -> None:
        """Count an event by name."""
        self._figures.event(name)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Nothing: the last figures stay until the endpoint is closed."""

    def close(self) -> None:
        """Close the endpoint."""
        if self._closed:
            return
        self._closed = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Figures(Collector):
    """What is served: set by the training's thread, read by the server's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._about: dict[str, str] = {}
        self._gauges: dict[str, float] = {}
        self._counts: dict[str, float] = {}
        self._by_reason: dict[str, dict[str, float]] = {}
        self._events: dict[str, float] = {}

    def begin(self, about: Mapping[str, Any]) -> None:
        settings = about.get("settings", {})
        with self._lock:
            self._about = {
                "run": str(about.get("run", "")),
                "algorithm": str(settings.get("algorithm", "")),
            }
            self._gauges["round"] = about.get("round", 0)
            self._gauges["rounds_planned"] = about.get("rounds", 0)

    def row(self, row: Row) -> None:
        with self._lock:
            self._gauges["round"] = row["round"]
            for name, figure in FIGURES.items():
                if name in row:
                    self._take(name, figure, row[name])

    def event(self, name: str) -> None:
        with self._lock:
            for known in reasons({name: 1}):
                self._events[known] = self._events.get(known, 0) + 1

    def _take(self, name: str, figure: Figure, value: Any) -> None:
        known = number(value)
        if isinstance(value, Mapping):
            self._by_reason[name] = reasons(value)
        elif figure.kind == GAUGE:
            self._gauges[name] = math.nan if known is None else known
        elif known is not None and figure.kind == EACH:
            self._counts[name] = self._counts.get(name, 0) + known
        elif known is not None and figure.kind == TOTAL:
            self._counts[name] = known

    def describe(self) -> list[Metric]:
        """Return nothing: no other collector shares the registry, so no names can collide."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families, as of one round."""
        with self._lock:
            families = [*self._info(), *self._numbers(), *self._labelled()]
        yield from families

    def _info(self) -> Iterator[Metric]:
        if self._about:
            info = GaugeMetricFamily("baffle_run_info", "The run.", labels=list(self._about))
            info.add_metric(list(self._about.values()), 1)
            yield info

    def _numbers(self) -> Iterator[Metric]:
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(f"baffle_{name}", _help(name), value=value)
        for name, value in self._counts.items():
            yield CounterMetricFamily(f"baffle_{name}", _help(name), value=value)

    def _labelled(self) -> Iterator[Metric]:
        counts = {name: ("reason", found) for name, found in self._by_reason.items()}
        for name, (label, found) in (counts | {"events": ("event", self._events)}).items():
            family = CounterMetricFamily(f"baffle_{name}", _help(name), labels=[label])
            for value, count in found.items():
                family.add_metric([value], count)
            yield family


_OWN_HELP = {
    "round": "Rounds done.",
    "rounds_planned": "Rounds of the whole run.",
    "events": "Events since this process began, by name.",
}


def _help(name: str) -> str:
    return FIGURES[name].help if name in FIGURES else _OWN_HELP[name]
