"""Works jobs off: claims tasks, runs them, renews their leases, joins their results.

`run_worker` is the loop of every worker, whether a thread of the service or a process of its own;
`Engine` is the service's side: it creates jobs, places workers, and ends jobs whose tasks are done.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from donna.errors import Cancelled, DonnaError, FailedPrecondition, NotFound, Unavailable
from donna.jobs.current import working_on
from donna.jobs.database import STORE_ERRORS
from donna.jobs.lease import LEASE_S, LeaseLost, Leases
from donna.jobs.outage import outlast
from donna.jobs.record import Job, JobError, Task, TaskState
from donna.jobs.store import JobStore
from donna.jobs.unattended import Unattended
from donna.jobs.work import Work
from donna.trouble import Trouble

log = logging.getLogger("donna.jobs")

T = TypeVar("T")
POLL_S = 0.1
IDLE_S = 1.0
REPORT_INTERVAL_S = 0.2
JOIN_S = 5.0  # a database that has gone silent may hold the thread for longer
DYING = "a worker that lives: one after the other ended, and the log of the service has the reason"
SETTLE_S = 10.0
"""So long a worker that is told to stop tries to write how its task ended."""


class TaskReport:
    """The Report of one running task; a thread renews its lease until `close`."""

    def __init__(self, leases: Leases, task: Task, stopping: threading.Event) -> None:
        self._leases = leases
        self._task = task
        self._stopping = stopping
        self._lost: Cancelled | None = None
        self._cost: dict[str, float] = {}
        self._counted_at = time.monotonic()
        self._lock = threading.Lock()
        self._written_at = 0.0
        self._waiting_for = ""
        self._closed = threading.Event()
        self._untold = Trouble(log, f"the progress of {task.job} task {task.index} could not be written")
        self._renewal = threading.Thread(target=self._renew, daemon=True)
        self._renewal.start()

    def _renew(self) -> None:
        what = f"the lease of {self._task.job} task {self._task.index} could not be renewed; trying again"
        trouble = Trouble(log, what)
        while not self._closed.wait(self._leases.ttl_s / 3):
            try:
                self._leases.renew(self._task)
            except LeaseLost as lost:
                self._lost = lost
                return
            except Exception as error:
                trouble.seen(error)
            else:
                trouble.over()

    def close(self) -> dict[str, float]:
        """Stops the renewal; returns the cost that was not written yet."""
        self._closed.set()
        self._renewal.join()
        return self._take_cost()

    @property
    def lost(self) -> bool:
        """True when the task is not this worker's any more."""
        return self._lost is not None

    def _take_cost(self) -> dict[str, float]:
        """What was not written yet, with the time that the worker was occupied."""
        with self._lock:
            cost, self._cost = self._cost, {}
            now = time.monotonic()
            cost["compute_s"] = cost.get("compute_s", 0.0) + now - self._counted_at
            self._counted_at = now
            return cost

    def _write(self, *, tell: bool = True, **values: Any) -> None:
        """Writes, with the cost so far if it tells; that is kept for the next time when the store does not answer."""
        self.check()
        cost = self._take_cost() if tell else {}
        try:
            self._leases.report(self._task, cost=cost, tell=tell, **values)
        except LeaseLost as lost:
            self._lost = lost
            raise
        except STORE_ERRORS:
            self.cost(**cost)
            raise

    @property
    def _due(self) -> bool:
        """Whether it is time to tell again."""
        return time.monotonic() - self._written_at >= REPORT_INTERVAL_S

    def progress(self, done: float, total: float, message: str = "") -> None:
        self.check()
        if self._due:
            self._written_at = time.monotonic()
            fraction = done / total if total > 0 else 0.0
            try:
                self._write(fraction=fraction, message=message)
            except STORE_ERRORS as error:  # no reason to give the work up
                self._untold.seen(error)
            else:
                self._untold.over()

    def cost(self, **counters: float) -> None:
        with self._lock:
            for name, amount in counters.items():
                self._cost[name] = self._cost.get(name, 0) + amount

    def check(self) -> None:
        if self._stopping.is_set():
            raise Interrupted("the worker is told to stop")
        if self._lost is not None:
            raise self._lost

    def _outlast(self, ask: Callable[[], T]) -> T:
        """Work stands still while the store is away, and goes on with it, unless it is another's by then."""
        return outlast(ask, what=f"{self._task.job} task {self._task.index}", check=self.check)

    def waiting(self, waiting_for: str) -> None:
        if waiting_for == self._waiting_for:
            return
        self._outlast(lambda: self._write(waiting_for=waiting_for))
        self._waiting_for = waiting_for
        self._written_at = 0.0

    def recall(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        return self._outlast(lambda: self._leases.store.recall(keys))

    def remember(self, key: str, result: dict[str, Any], **counters: float) -> bool:
        self.check()
        try:
            return self._outlast(lambda: self._leases.remember(self._task, key, result, counters))
        except LeaseLost as lost:
            self._lost = lost
            raise

    def save(
        self,
        state: dict[str, Any],
        *,
        part: tuple[int, dict[str, Any]] | None = None,
        partial: dict[str, Any] | None = None,
        fraction: float | None = None,
        message: str = "",
    ) -> None:
        # What the state has cost must not be lost while the state is kept; the time it took may wait to be told.
        tell = partial is not None or bool(self._cost) or self._due
        progress: dict[str, Any] = {}
        if fraction is not None and tell:
            self._written_at = time.monotonic()  # no need to write the progress as well
            progress = {"fraction": fraction, "message": message}
        self._outlast(
            lambda: self._write(checkpoint=state, part=part, partial=partial, tell=tell, **progress)
        )

    def saved(self) -> dict[str, Any] | None:
        return self._outlast(lambda: self._leases.checkpoint(self._task))

    def saved_parts(self) -> list[dict[str, Any]]:
        return self._outlast(lambda: self._leases.parts(self._task))

    def publish(self, partial: dict[str, Any]) -> None:
        self._outlast(lambda: self._write(partial=partial))


class Interrupted(Cancelled):
    """The worker is stopping: its task goes back into the queue."""

    default_reason = "INTERRUPTED"


def run_task(leases: Leases, work: Work, task: Task, stopping: threading.Event) -> None:
    """Runs one claimed task to its end and writes what came of it."""
    with working_on(task):
        _run_task(leases, work, task, stopping)


def _run_task(leases: Leases, work: Work, task: Task, stopping: threading.Event) -> None:
    report = TaskReport(leases, task, stopping)
    error: JobError | None = None
    retry_in_s: float | None = None
    try:
        result = work.run(task, report)
        _settle(stopping, leases.complete, task, result, report.close())
        return
    except Cancelled as found:
        if report.lost:
            report.close()
            return
        if stopping.is_set():
            _settle(stopping, leases.release, task, report.close())
            return
        error = JobError.of(found)  # of something that the work depends on
    except Unavailable as found:
        error = JobError.of(found)
        retry_in_s = 2.0**task.attempt if found.retry_after_s is None else found.retry_after_s
    except STORE_ERRORS:
        log.warning("%s task %d lost the store", task.job, task.index, exc_info=True)
        error = JobError(reason="STORE_UNAVAILABLE", message="the job store did not answer")
        retry_in_s = 2.0**task.attempt
    except DonnaError as found:
        if (
            found.__cause__ is not None
        ):  # the sentence is for people; what brought it about is for whoever mends it
            log.warning("%s task %d: %s", task.job, task.index, found, exc_info=True)
        error = JobError.of(found)
    except Exception:
        log.exception("%s task %d failed", task.job, task.index)
        error = JobError(
            reason="INTERNAL", message=f"{task.label or 'a task'} failed by a defect; the log has the details"
        )
    _settle(stopping, leases.fail, task, error, retry_in_s=retry_in_s, cost=report.close())


def _settle(stopping: threading.Event, write: Callable[..., None], *arguments: Any, **named: Any) -> None:
    """Writes how a task ended, however long the store is away; a lost lease ends it in silence."""
    last: float | None = None

    def check() -> None:
        nonlocal last
        if stopping.is_set():
            last = time.monotonic() + SETTLE_S if last is None else last
            if time.monotonic() > last:
                raise Interrupted("the worker is told to stop")

    try:
        outlast(lambda: write(*arguments, **named), what="the end of a task", check=check)
    except LeaseLost:
        log.info("the task was taken over; nothing was written")
    except (Interrupted, *STORE_ERRORS):
        log.warning("the end of a task could not be written", exc_info=True)


def run_worker(
    store: JobStore,
    work: Work,
    *,
    stopping: threading.Event,
    idle_s: float | None = None,
    lease_s: float = LEASE_S,
    choose: Callable[[], Iterable[str]] | None = None,
) -> None:
    """Claims and runs tasks until told to stop, or until nothing was to do for `idle_s` seconds.

    `choose` names the jobs to try, first come first claimed, at every look.
    """
    leases = Leases(store, kind=work.kind, owner=worker_name(), ttl_s=lease_s)
    idle_since = time.monotonic()
    trouble = Trouble(log, "the store does not answer; trying again")
    while not stopping.is_set():
        heard = store.bell.rings
        try:
            jobs = [None] if choose is None else choose()
            task = next((task for name in jobs if (task := leases.claim(name)) is not None), None)
        except Exception as error:
            trouble.seen(error)
            stopping.wait(1.0)
            continue
        trouble.over()
        if task is not None:
            run_task(leases, work, task, stopping)
            idle_since = time.monotonic()
        elif idle_s is not None and time.monotonic() - idle_since > idle_s:
            return
        else:
            store.bell.wait(heard, POLL_S)


def worker_name() -> str:
    """Unique for every worker: host, process and a random part."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


class Placement(Protocol):
    """Where workers run. `place` is called often and must be cheap; `failing` while workers cannot live there."""

    @property
    def failing(self) -> bool: ...

    def place(self, wanted: int) -> None:
        """Sees to it that up to `wanted` tasks can be worked on at once; 0: no job is active."""

    def close(self) -> None:
        """Stops all workers; tasks in hand go back into the queue."""


class Engine:
    """The service's side of its jobs: `create` stores a job, a thread of the engine sees it through."""

    def __init__(self, store: JobStore, work: Work, placement: Placement) -> None:
        self.store = store
        self.work = work
        self._placement = placement
        self._leases = Leases(store, kind=work.kind, owner=worker_name())
        self._unattended = Unattended(store, work.kind)
        self._joins: dict[str, Trouble] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"engine-{work.kind}", daemon=True)

    def start(self) -> None:
        """Starts working; jobs that an earlier process left are taken up again."""
        self._thread.start()

    def close(self) -> None:
        """Stops working; what is in hand goes back into the queue."""
        self._stopping.set()
        self.store.bell.ring()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)  # first: it places workers
        self._placement.close()

    @property
    def alive(self) -> bool:
        """False when the engine's thread has died or was stopped, or workers keep dying: the service is not healthy
        then."""
        return self._thread.is_alive() and not self._placement.failing

    def create(self, spec: dict[str, Any], *, request_id: str = "") -> Job:
        """Stores a job, split into tasks; idempotent by `request_id`."""
        return self.store.create(self.work.kind, spec, self.work.tasks(spec), request_id=request_id)

    def _loop(self) -> None:
        trouble = Trouble(log, f"the engine of {self.work.kind} could not go on; trying again")
        while not self._stopping.is_set():
            heard = self.store.bell.rings
            try:
                active = self.store.active_states(self.work.kind)
                self._placement.place(self._leases.waiting_tasks() if active else 0)
                if active and self._placement.failing:
                    for name in self._unattended.look():
                        self._unattended.tell(name, DYING)
                for job in self.store.ripe(self.work.kind) if active else ():
                    self._finish(job)
            except Exception as error:
                trouble.seen(error)
                self._stopping.wait(1.0)
                continue
            trouble.over()
            self.store.bell.wait(heard, POLL_S if active else IDLE_S)

    def _finish(self, job: Job) -> None:
        """Ends a job when a task has failed or all are done. One job's trouble is not another's."""
        states = self.store.task_states(job.name)
        try:
            if states.get(TaskState.FAILED):
                failed = (task.error for task in self.store.tasks(job.name) if task.error is not None)
                self.store.fail(job.name, next(failed))
            elif set(states) == {TaskState.DONE}:
                self._join(job)
        except (FailedPrecondition, NotFound):
            log.info("%s was ended or deleted in the meantime", job.name)

    def _join(self, job: Job) -> None:
        try:
            result = self.work.result(job, list(self.store.tasks(job.name)))
        except Unavailable as error:
            what = f"the result of {job.name} could not be joined; trying again"
            self._joins.setdefault(job.name, Trouble(log, what)).seen(error)
            self._stopping.wait(1.0)
            return
        except DonnaError as error:
            self.store.fail(job.name, JobError.of(error))
        except STORE_ERRORS:
            raise
        except Exception:
            log.exception("the result of %s could not be joined", job.name)
            self.store.fail(job.name, JobError(reason="INTERNAL", message="the results could not be joined"))
        else:
            self.store.succeed(job.name, result)
        self._joins.pop(job.name, None)
