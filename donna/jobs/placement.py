"""Where workers run on one machine: threads of the service, or processes of their own."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time

from donna.jobs import lifeline
from donna.jobs.engine import run_worker
from donna.jobs.lease import LEASE_S
from donna.jobs.store import JobStore
from donna.jobs.work import Work

log = logging.getLogger("donna.jobs")

STOP_GRACE_S = 10.0
IDLE_S = 60.0
THREAD_IDLE_S = 2.0  # a new thread costs nothing, a waiting one asks the store again and again
STEADY_S = 60.0  # a worker that lived as long did not fail to start
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0
FAILING = 3
"""So many workers that died one after the other, without one that lived, mean that none can."""


class Threads:
    """Up to `limit` worker threads inside the service: for work that waits more than it computes."""

    failing = False

    def __init__(self, store: JobStore, work: Work, *, limit: int) -> None:
        self._store = store
        self._work = work
        self._limit = limit
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def place(self, wanted: int) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        while len(self._threads) < min(wanted, self._limit):
            thread = threading.Thread(
                target=run_worker,
                args=(self._store, self._work),
                kwargs={"stopping": self._stopping, "idle_s": THREAD_IDLE_S},
                name=f"worker-{self._work.kind}-{len(self._threads)}",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        self._stopping.set()
        deadline = time.monotonic() + STOP_GRACE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class Processes:
    """Up to `limit` worker processes `python -m <module>`: for work that computes, and may crash.

    They stay for a while when nothing is to do, since a start costs seconds, and end with the service. Workers
    that die at once are started again with growing pauses.
    """

    def __init__(self, module: str, *, limit: int) -> None:
        self._module = module
        self._limit = limit
        self._processes: dict[subprocess.Popen[bytes], float] = {}  # and when they were started
        self._failures = 0
        self._failed_at = 0.0
        self._not_before = 0.0
        self._closed = False

    @property
    def failing(self) -> bool:
        """Whether workers keep dying. Forgotten after a while: without work nothing would ever show that they live."""
        return self._failures >= FAILING and time.monotonic() - self._failed_at < STEADY_S

    @property
    def running(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(process.pid for process in self._processes)

    def place(self, wanted: int) -> None:
        if self._closed:
            return
        now = time.monotonic()
        for process, started_at in list(self._processes.items()):
            code = process.poll()
            if code is None:
                continue
            del self._processes[process]
            if code == 0 or now - started_at > STEADY_S:
                self._failures = 0
            if code != 0:
                self._failures += 1
                self._failed_at = now
                self._not_before = now + min(2.0**self._failures * FIRST_PAUSE_S, LONGEST_PAUSE_S)
                log.warning("a worker of %s ended with code %d", self._module, code)
        if any(now - started_at > STEADY_S for started_at in self._processes.values()):
            self._failures = 0
        while len(self._processes) < min(wanted, self._limit) and now >= self._not_before:
            self._processes[lifeline.spawn(["-m", self._module])] = now

    def close(self) -> None:
        self._closed = True
        deadline = time.monotonic() + STOP_GRACE_S
        processes = list(self._processes)
        for process in processes:
            process.terminate()
        for process in processes:
            lifeline.stop(process, grace_s=max(0.0, deadline - time.monotonic()))


def worker_main(
    store: JobStore, work: Work, *, idle_s: float | None = IDLE_S, lease_s: float = LEASE_S
) -> None:
    """The work of a worker process: until idle, told to stop (SIGTERM), or orphaned."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    lifeline.hold()
    run_worker(store, work, stopping=stopping, idle_s=idle_s, lease_s=lease_s)
