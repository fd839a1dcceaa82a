"""Lets go of jobs that ended long ago, where a service would keep more of them than anybody looks at."""

from __future__ import annotations

from sqlalchemy import delete, exists, select

from donna.jobs.record import ACTIVE
from donna.jobs.schema import jobs, parts, results, tasks
from donna.jobs.store import JobStore

BATCH = 500


def prune(store: JobStore, kind: str, keep: int) -> int:
    """Removes jobs that have ended but for the newest `keep`, BATCH of them at most, with what was remembered for them
    alone; returns how many."""
    old = (
        select(jobs.c.name)
        .where(jobs.c.kind == kind, jobs.c.state.not_in(ACTIVE))
        .order_by(jobs.c.created_at.desc(), jobs.c.name.desc())
        .offset(keep)
        .limit(BATCH)
    )
    other = tasks.alias()
    with store.engine.begin() as connection:
        names = list(connection.execute(old).scalars())
        of_others = exists().where(other.c.key == tasks.c.key, other.c.job.not_in(names))
        own = select(tasks.c.key).where(tasks.c.job.in_(names), tasks.c.key != "", ~of_others)
        keys = list(connection.execute(own).scalars())
        connection.execute(delete(results).where(results.c.key.in_(keys)))
        connection.execute(delete(parts).where(parts.c.job.in_(names)))
        connection.execute(delete(tasks).where(tasks.c.job.in_(names)))
        connection.execute(delete(jobs).where(jobs.c.name.in_(names)))
    return len(names)
