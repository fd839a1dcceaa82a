"""The worker of one index of a job: what a pod of an Indexed Job is."""

from __future__ import annotations

import logging
import threading

from donna.errors import NotFound
from donna.jobs.database import STORE_ERRORS
from donna.jobs.engine import run_task, worker_name
from donna.jobs.lease import LEASE_S, Leases
from donna.jobs.record import TaskState
from donna.jobs.store import JobStore
from donna.jobs.work import Work
from donna.trouble import Trouble

log = logging.getLogger("donna.jobs")

WAIT_S = 1.0


def run_index(
    store: JobStore,
    work: Work,
    job: str,
    index: int,
    *,
    stopping: threading.Event,
    lease_s: float = LEASE_S,
    wait_s: float = WAIT_S,
) -> bool:
    """Works until this task has ended, or its job; False when told to stop before.

    While another worker holds the task, or computes its key, this one waits: started twice, it changes nothing. Once at
    work it goes on with other tasks of the job that nobody works on: their own pods find nothing left to do, and a
    start costs more than many a task.
    """
    leases = Leases(store, kind=work.kind, owner=worker_name(), ttl_s=lease_s)
    trouble = Trouble(log, "the store does not answer; trying again")
    worked = False
    while not stopping.is_set():
        try:
            ended = has_ended(store, job, index)
            if ended and not worked:
                return True
            task = leases.claim(job, None if ended else index)
            if ended and task is None:
                return True
        except STORE_ERRORS as error:
            trouble.seen(error)
            task = None
        else:
            trouble.over()
        if task is not None:
            run_task(leases, work, task, stopping)
            worked = True
        else:
            stopping.wait(wait_s)
    return False


def has_ended(store: JobStore, job: str, index: int) -> bool:
    """Whether nothing is left to do of this task."""
    try:
        return store.get(job).state.ended or store.task(job, index).state in (
            TaskState.DONE,
            TaskState.FAILED,
        )
    except NotFound:  # deleted in the meantime
        return True
