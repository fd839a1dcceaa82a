"""The life of a worker process: settings in, stores opened, work done. The same for all services that have them.

python -m services.distiller.worker                                  whatever task is next, until idle
python -m services.distiller.worker --job blockLibraries/1f --index 3     from this task on: a pod of a cluster
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from donna.artifacts import ArtifactStore
from donna.errors import DonnaError, InvalidArgument
from donna.jobs import JobStore, Work
from donna.jobs.index_worker import has_ended, run_index
from donna.jobs.kubernetes_job import BAD_CONFIGURATION, STOPPED
from donna.jobs.outage import outlast
from donna.jobs.placement import worker_main
from donna.service import DATABASE_PATIENCE_S, leave_when_told, open_stores
from donna.settings import TrainingSettings, read_settings
from donna.telemetry.logs import start_logging
from donna.telemetry.tracing import start_tracing

S = TypeVar("S", bound=TrainingSettings)

FAILED = 1
"""The exit code of a worker that may succeed when it is started again."""
CONNECTIONS = 4
"""To the database: one works, one renews the lease. Workers are many, and a server has a hundred."""


def main(
    service: str,
    settings_class: type[S],
    build: Callable[[S, JobStore, ArtifactStore], Work],
    arguments: Sequence[str] | None = None,
) -> None:
    """Runs a worker of a service; wrong settings end it with code 2 and one sentence."""
    parser = argparse.ArgumentParser(prog=f"services.{service}.worker", description="A worker process.")
    parser.add_argument("--job", help="work on a task of this job, then on others that nobody works on")
    parser.add_argument("--index", type=int, help="which task")
    options = parser.parse_args(arguments)
    if (options.index is None) != (not options.job):
        parser.error("--job and --index need each other")
    leave_when_told()
    try:
        settings = read_settings(settings_class)
        start_logging(settings.log_level, settings.log_format)
        tracing = start_tracing(f"{service}-worker", settings.traces_endpoint)
        # The pod of one task has nothing else to do than to wait; each of its failures would count.
        patience_s = DATABASE_PATIENCE_S if options.index is None else math.inf
        store, artifacts = open_stores(settings, service, patience_s=patience_s, connections=CONNECTIONS)
        if options.index is not None and _nothing_left(store, options.job, options.index):
            return  # before torch is imported
        work = build(settings, store, artifacts)
    except DonnaError as error:
        sys.stderr.write(f"donna {service} worker: {error.message}\n")
        sys.exit(BAD_CONFIGURATION if isinstance(error, InvalidArgument) else FAILED)
    if options.index is None:
        worker_main(store, work, idle_s=settings.worker_idle_s)
        ended = True
    else:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        ended = run_index(store, work, options.job, options.index, stopping=stopping)
    tracing.close()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0 if ended else STOPPED)  # threads of numerical libraries must not hold a finished worker back


def _nothing_left(store: JobStore, job: str, index: int) -> bool:
    what = f"{job} task {index}"
    return outlast(lambda: has_ended(store, job, index), what=what, check=lambda: None)
