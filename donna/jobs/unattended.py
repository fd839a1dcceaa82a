"""Jobs that nobody works on: since when, and what to say of them. Nothing waits in silence."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import exists, or_, select, update

from donna.jobs.record import ACTIVE, JobState, TaskState
from donna.jobs.schema import jobs, tasks
from donna.jobs.store import JobStore


class Unattended:
    """The jobs of a kind with tasks that could run and no worker at any; asked again and again by one thread."""

    def __init__(self, store: JobStore, kind: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._kind = kind
        self._clock_s = clock_s
        self._since: dict[str, float] = {}
        self._seen: dict[str, int] = {}

    def look(self) -> dict[str, float]:
        """Names, and for how many seconds each has been seen like this."""
        now = self._store.clock()
        own = tasks.c.job == jobs.c.name
        attended = exists().where(own, tasks.c.state == TaskState.RUNNING, tasks.c.lease_until > now)
        could_run = exists().where(
            own,
            or_(tasks.c.state == TaskState.QUEUED, tasks.c.state == TaskState.RUNNING),
            tasks.c.not_before <= now,
        )
        query = select(jobs.c.name, jobs.c.revision).where(
            jobs.c.kind == self._kind, jobs.c.state.in_(ACTIVE), could_run, ~attended
        )
        with self._store.reads.begin() as connection:
            self._seen = {row.name: row.revision for row in connection.execute(query)}
        at = self._clock_s()
        self._since = {name: self._since.get(name, at) for name in self._seen}
        return {name: at - since for name, since in self._since.items()}

    def tell(self, name: str, waiting_for: str) -> None:
        """Puts a job that was seen by `look` into WAITING, unless it has changed since: a worker may have come."""
        with self._store.engine.begin() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.name == name, jobs.c.revision == self._seen.get(name))
                .where(or_(jobs.c.state != JobState.WAITING, jobs.c.waiting_for != waiting_for))
                .values(state=JobState.WAITING, waiting_for=waiting_for, revision=jobs.c.revision + 1)
            )
        self._store.bell.ring()
