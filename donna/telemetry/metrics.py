"""What a service tells Prometheus: its calls, its jobs and what they cost, its process, and what is its own.

Calls have the names of the gRPC ecosystem (grpc_server_handled_total), so that existing dashboards fit. What jobs
come to is read from the store when it is asked for: workers in other processes and pods count without a word.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import donna
from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs.store import JobStore
from donna.jobs.totals import Totals
from donna.v1 import common_pb2

log = logging.getLogger("donna.metrics")

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COSTS = {field.name: f"donna_{field.name.removesuffix('_s')}" for field in common_pb2.Cost.DESCRIPTOR.fields}
"""The metric of each counter of a cost ledger; those in seconds say so in full."""
COSTS |= {name: f"{metric}_seconds" for name, metric in COSTS.items() if name.endswith("_s")}


class Calls:
    """Counts calls and their latencies; an observer of `donna.rpc.calls`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        call = ("grpc_type", "grpc_service", "grpc_method")
        self._started = Counter("grpc_server_started", "Calls that have begun.", call, registry=registry)
        self._handled = Counter(
            "grpc_server_handled",
            "Calls that have ended, by status.",
            (*call, "grpc_code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time of calls that answer once.",
            call,
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )

    def started(self, method: str, kind: str) -> None:
        """A call has begun."""
        self._started.labels(kind, *_split(method)).inc()

    def ended(self, method: str, kind: str, code: str, seconds: float) -> None:
        """It has ended. A stream lives as long as its caller likes: its time says nothing."""
        self._handled.labels(kind, *_split(method), code).inc()
        if not kind.endswith("server_stream") and kind != "bidi_stream":
            self._seconds.labels(kind, *_split(method)).observe(seconds)


def _split(method: str) -> tuple[str, str]:
    service, _, name = method.removeprefix("/").partition("/")
    return service, name


class Jobs(Collector):
    """Jobs by state, tasks that wait and run, and the cost of all jobs, of every kind that the service has."""

    def __init__(self, store: JobStore, kinds: Iterable[str]) -> None:
        self._totals = [Totals(store, kind) for kind in kinds]

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is asked of the store before the first scrape

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("donna_jobs", "Jobs by state.", labels=("kind", "state"))
        tasks = GaugeMetricFamily(
            "donna_tasks",
            "Tasks of active jobs by state; QUEUED ones wait for a worker.",
            labels=("kind", "state"),
        )
        costs = {
            name: CounterMetricFamily(metric, f"{name} of the cost ledgers of all jobs.", labels=("kind",))
            for name, metric in COSTS.items()
        }
        up = GaugeMetricFamily("donna_store_up", "1 when the job store answers.")
        try:
            for totals in self._totals:
                for state, count in totals.jobs().items():
                    jobs.add_metric((totals.kind, state.value), count)
                for task_state, count in totals.tasks().items():
                    tasks.add_metric((totals.kind, task_state.value), count)
                spent = totals.cost()
                for name, family in costs.items():
                    family.add_metric((totals.kind,), spent.get(name, 0.0))
        except Exception:
            log.warning("the job store does not answer; its metrics are left out", exc_info=True)
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield from (up, jobs, tasks, *costs.values())


class Metrics:
    """All metrics of one service."""

    def __init__(
        self, service: str, store: JobStore, kinds: Iterable[str], own: Sequence[Collector] = ()
    ) -> None:
        self.registry = CollectorRegistry()
        self.calls = Calls(self.registry)
        ProcessCollector(registry=self.registry)
        build = Gauge("donna_build_info", "1.", ("service", "version"), registry=self.registry)
        build.labels(service, donna.__version__).set(1)
        for collector in (Jobs(store, kinds), *own):
            self.registry.register(collector)
        self._server: Any = None
        self._thread: threading.Thread | None = None

    def serve(self, listen: str) -> str:
        """Serves /metrics on host:port; returns the address with the port that was chosen.

        Raises InvalidArgument for what is no address, FailedPrecondition for one that is taken.
        """
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise InvalidArgument.of("metrics_listen", f"must be host:port, got {listen!r}")
        try:
            self._server, self._thread = start_http_server(int(port), host.strip("[]"), self.registry)
        except (OSError, OverflowError) as error:
            raise FailedPrecondition(
                f"cannot serve metrics on {listen}", reason="ADDRESS_NOT_AVAILABLE"
            ) from error
        return f"{host}:{self._server.server_port}"

    def close(self) -> None:
        """No more scrapes."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
