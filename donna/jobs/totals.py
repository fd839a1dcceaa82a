"""What all jobs of a kind come to: where they stand, what waits, what they have cost."""

from __future__ import annotations

import json
import threading
from collections import Counter

from sqlalchemy import func, or_, select

from donna.jobs.record import ACTIVE, JobState, TaskState
from donna.jobs.schema import jobs, tasks
from donna.jobs.store import JobStore

OVERLAP_S = 60.0
"""Clocks of two processes that end jobs may differ by this much."""


class Totals:
    """Asked again, it reads only jobs that are active or have ended since; safe to use from many threads."""

    def __init__(self, store: JobStore, kind: str) -> None:
        self._store = store
        self.kind = kind
        self._lock = threading.Lock()
        self._ended: Counter[str] = Counter()
        self._counted: dict[str, float] = {}
        self._latest = float("-inf")

    def jobs(self) -> dict[JobState, int]:
        """Number of jobs by state; every state is there."""
        found = self._store.count(self.kind)
        return {state: found.get(state, 0) for state in JobState}

    def tasks(self) -> dict[TaskState, int]:
        """Number of tasks of active jobs by state: QUEUED ones are what waits for a worker."""
        query = (
            select(tasks.c.state, func.count())
            .select_from(tasks.join(jobs, jobs.c.name == tasks.c.job))
            .where(jobs.c.kind == self.kind, jobs.c.state.in_(ACTIVE))
            .group_by(tasks.c.state)
        )
        with self._store.reads.begin() as connection:
            found = {TaskState(state): count for state, count in connection.execute(query)}
        return {state: found.get(state, 0) for state in TaskState}

    def cost(self) -> dict[str, float]:
        """The ledgers of all jobs together, by counter. Jobs that are deleted stay counted."""
        with self._lock:
            query = select(jobs.c.name, jobs.c.cost, jobs.c.ended_at).where(
                jobs.c.kind == self.kind,
                or_(jobs.c.ended_at.is_(None), jobs.c.ended_at > self._latest - OVERLAP_S),
            )
            with self._store.reads.begin() as connection:
                rows = connection.execute(query).all()
            active: Counter[str] = Counter()
            for row in rows:
                if row.ended_at is None:
                    active.update(json.loads(row.cost))
                elif row.name not in self._counted:
                    self._counted[row.name] = row.ended_at
                    self._ended.update(json.loads(row.cost))
                    self._latest = max(self._latest, row.ended_at)
            horizon = self._latest - OVERLAP_S
            self._counted = {name: at for name, at in self._counted.items() if at > horizon}
            return dict(self._ended + active)
