"""Who works on what: a task is claimed under a lease with a fencing number.

A worker that dies lets its lease run out, and another claims the task with a larger fence; should the first
come back, everything that it writes is refused, since its fence is old. So no task counts twice.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from donna.errors import Cancelled
from donna.jobs.outage import Patience
from donna.jobs.record import ACTIVE, JobError, JobState, Task, TaskState
from donna.jobs.schema import jobs, parts, results, tasks
from donna.jobs.store import JobStore, read_task, write_error

MAX_ATTEMPTS = 5
LEASE_S = 6.0
CLOCKS_DIFFER_S, LONGEST_PAUSE_S = 60.0, 3600.0
"""How far clocks of the machines of one installation may be apart, and the longest pause before a task is tried again.
A lease or a pause that ends later than that was written before the clock was set back, and holds nobody up."""


class LeaseLost(Cancelled):
    """Another worker has the task, or the job has ended: stop, nothing that is written counts."""

    default_reason = "LEASE_LOST"


class Leases:
    """Claims tasks of one kind of job for one owner; leases last `ttl_s` seconds unless renewed."""

    def __init__(self, store: JobStore, *, kind: str, owner: str, ttl_s: float = LEASE_S) -> None:
        self.store = store
        self.kind = kind
        self.owner = owner
        self.ttl_s = ttl_s
        self._patience = Patience(ttl_s)

    def claim(self, job: str | None = None, index: int | None = None) -> Task | None:
        """The next task that may run now, or None; with `job`, of that job, with `index`, that one.

        A task that was started MAX_ATTEMPTS times without an end fails with reason WORKER_LOST. A task whose
        key another live worker is computing is left until that one is done, then answered from its result.
        """
        query = self._claimable(job, index)
        while True:
            with self.store.reads.begin() as connection:  # idle workers must not queue for the write lock
                found = connection.execute(query).first()
            self._patience.heard()
            if found is None:
                return None
            with self.store.engine.begin() as connection:
                _one_claim_at_a_time(connection, self.kind)
                row = connection.execute(query.with_for_update(of=tasks, skip_locked=True)).one_or_none()
                if row is None:
                    return None
                claimed = self._take(connection, row)
                if claimed is not None:
                    return claimed

    def _claimable(self, job: str | None, index: int | None) -> Select[Any]:
        now = self.store.clock()
        furthest = now + self.ttl_s + CLOCKS_DIFFER_S
        other = tasks.alias()
        patient = self._patience.wanted

        def held(table: FromClause) -> ColumnElement[bool]:
            return true() if patient else table.c.lease_until.between(now, furthest)

        free = or_(
            and_(tasks.c.state == TaskState.QUEUED, _due(now)),
            and_(tasks.c.state == TaskState.RUNNING, ~held(tasks)),
        )
        same_key_elsewhere = exists().where(
            other.c.key == tasks.c.key,
            other.c.state == TaskState.RUNNING,
            held(other),
            or_(other.c.job != tasks.c.job, other.c.idx != tasks.c.idx),
        )
        query = (
            select(tasks)
            .join(jobs, jobs.c.name == tasks.c.job)
            .where(jobs.c.kind == self.kind, jobs.c.state.in_(ACTIVE), free)
            .where(or_(tasks.c.key == "", ~same_key_elsewhere))
            .order_by(jobs.c.created_at, tasks.c.idx)
            .limit(1)
        )
        if index is not None:
            query = query.where(tasks.c.idx == index)
        return query if job is None else query.where(tasks.c.job == job)

    def _take(self, connection: Connection, row: Row[Any]) -> Task | None:
        """The task of this row under a new lease; None when it ended without anybody working on it."""
        task, now = read_task(row), self.store.clock()
        known = (
            task.key
            and connection.execute(select(results.c.result).where(results.c.key == task.key)).scalar()
        )
        if known:
            _write(connection, task, state=TaskState.DONE, result=known, reused=True, fraction=1.0)
            _refresh(connection, task.job)
            return None
        if task.attempt >= MAX_ATTEMPTS:
            lost = JobError(
                reason="WORKER_LOST",
                message=f"{task.label or 'a task'} lost its worker {task.attempt} times without getting further",
            )
            _write(connection, task, state=TaskState.FAILED, error=write_error(lost))
            return None
        if row.fraction and not row.checkpoint:  # what the lost worker had done is done again
            _write(connection, task, fraction=0.0)
            _refresh(connection, task.job)
        self._start(connection, task.job, now)
        _write(
            connection,
            task,
            state=TaskState.RUNNING,
            owner=self.owner,
            lease_until=now + self.ttl_s,
            attempt=task.attempt + 1,
            fence=task.fence + 1,
        )
        return replace(task, state=TaskState.RUNNING, attempt=task.attempt + 1, fence=task.fence + 1)

    def _start(self, connection: Connection, job: str, now: float) -> None:
        """RUNNING; after a time in which nobody was at work, the estimate of what is left starts anew."""
        row = connection.execute(select(jobs.c.done, jobs.c.eta_from_at).where(jobs.c.name == job)).one()
        held_until = connection.execute(
            select(func.max(tasks.c.lease_until)).where(tasks.c.job == job)
        ).scalar()
        values: dict[str, Any] = {
            "state": JobState.RUNNING,
            "waiting_for": "",
            "started_at": func.coalesce(jobs.c.started_at, now),
        }
        if row.eta_from_at is None or held_until is None or held_until < now:
            values |= {"eta_from_at": now, "eta_from_done": row.done}
        connection.execute(
            update(jobs)
            .where(jobs.c.name == job, jobs.c.state.in_(ACTIVE))
            .values(revision=jobs.c.revision + 1, **values)
        )

    def renew(self, task: Task) -> None:
        """Raises LeaseLost when the task is not ours any more or its job has ended."""
        with self.store.soon.begin() as connection:
            self._hold(connection, task, lease_until=self.store.clock() + self.ttl_s)
        self._patience.heard()

    def _hold(self, connection: Connection, task: Task, **values: Any) -> None:
        """Writes to the task if we still hold it: every write of a worker goes through here."""
        mine = {"of_job": task.job, "of_idx": task.index, "of_fence": task.fence}
        changed = connection.execute(_held(tuple(values)), {**mine, **values})
        if changed.rowcount != 1:
            raise LeaseLost(f"{task.job} has ended or task {task.index} was given to another worker")

    def report(
        self,
        task: Task,
        *,
        fraction: float | None = None,
        message: str = "",
        waiting_for: str | None = None,
        cost: dict[str, float] | None = None,
        checkpoint: dict[str, Any] | None = None,
        part: tuple[int, dict[str, Any]] | None = None,
        partial: dict[str, Any] | None = None,
        tell: bool = True,
    ) -> None:
        """Writes progress, cost, a checkpoint or a partial result, and renews the lease. Raises LeaseLost.

        `part` (number, values) belongs to the checkpoint and is new; number 0 takes the place of all that there are.
        Without `tell` the job is left as it is, and watchers hear nothing: for a checkpoint that says nothing new.

        Nothing of this waits for the disk: it survives the process at once, and a loss of power after a while. What is
        lost then is done again from an earlier checkpoint, and what must not be lost is `complete` or `remember`.
        """
        now = self.store.clock()
        held: dict[str, Any] = {"lease_until": now + self.ttl_s}
        if fraction is not None:
            held["fraction"] = min(max(fraction, 0.0), 1.0)
        if checkpoint is not None:
            held |= {
                "checkpoint": json.dumps(checkpoint),
                "attempt": 1,
            }  # it got further: not a hopeless task
        changed: dict[str, Any] = {}
        if message:
            changed["message"] = message
        if waiting_for is not None:
            changed |= {
                "state": JobState.WAITING if waiting_for else JobState.RUNNING,
                "waiting_for": waiting_for,
            }
        if partial is not None:
            changed["result"] = json.dumps(partial)
        with self.store.soon.begin() as connection:
            self._hold(connection, task, **held)
            if part is not None:
                number, data = part
                if number == 0:
                    connection.execute(_parts_gone, {"of_job": task.job, "of_idx": task.index})
                row = {"job": task.job, "idx": task.index, "number": number, "data": json.dumps(data)}
                connection.execute(_part_added, row)
            if tell:
                _refresh(connection, task.job, cost, **changed)

    def checkpoint(self, task: Task) -> dict[str, Any] | None:
        """What an earlier attempt at this task saved, or None."""
        with self.store.reads.begin() as connection:
            text = connection.execute(
                select(tasks.c.checkpoint).where(tasks.c.job == task.job, tasks.c.idx == task.index)
            ).scalar()
        return json.loads(text) if text else None

    def parts(self, task: Task) -> list[dict[str, Any]]:
        """The parts of this task's checkpoint, in order."""
        with self.store.reads.begin() as connection:
            rows = connection.execute(
                select(parts.c.data)
                .where(parts.c.job == task.job, parts.c.idx == task.index)
                .order_by(parts.c.number)
            )
            return [json.loads(row.data) for row in rows]

    def remember(self, task: Task, key: str, result: dict[str, Any], cost: dict[str, float]) -> bool:
        """Stores a result under its content key with its cost; False, and no cost, when it is known."""
        with self.store.engine.begin() as connection:
            self._hold(connection, task, lease_until=self.store.clock() + self.ttl_s)
            fresh = self._remember(connection, key, result)
            if fresh:
                _refresh(connection, task.job, cost)
            return fresh

    def _remember(self, connection: Connection, key: str, result: dict[str, Any]) -> bool:
        row = {"key": key, "result": json.dumps(result), "created_at": self.store.clock()}
        try:
            with connection.begin_nested():
                connection.execute(insert(results).values(row))
        except IntegrityError:
            return False
        return True

    def complete(self, task: Task, result: dict[str, Any], cost: dict[str, float]) -> None:
        """Ends a task with its result, remembered under its key unless it has an `error`: whoever asks for the same
        again has it tried again. Raises LeaseLost: then nothing counts."""
        with self.store.engine.begin() as connection:
            self._hold(
                connection,
                task,
                state=TaskState.DONE,
                result=json.dumps(result),
                fraction=1.0,
                checkpoint=None,
            )
            connection.execute(_parts_gone, {"of_job": task.job, "of_idx": task.index})
            if task.key and "error" not in result:
                self._remember(connection, task.key, result)
            _refresh(connection, task.job, cost, state=JobState.RUNNING, waiting_for="")
        self.store.bell.ring()

    def fail(
        self,
        task: Task,
        error: JobError,
        *,
        retry_in_s: float | None = None,
        cost: dict[str, float] | None = None,
    ) -> None:
        """Ends a task with an error, or puts it back to be tried again later, while its job waits for what the error
        says; what it cost counts."""
        changed: dict[str, Any] = {}
        with self.store.engine.begin() as connection:
            if retry_in_s is not None and _attempt(connection, task) < MAX_ATTEMPTS:
                self._hold(
                    connection, task, state=TaskState.QUEUED, not_before=self.store.clock() + retry_in_s
                )
                changed = {"state": JobState.WAITING, "waiting_for": error.message}
            else:
                self._hold(connection, task, state=TaskState.FAILED, error=write_error(error))
            _refresh(connection, task.job, cost, **changed)
        self.store.bell.ring()

    def release(self, task: Task, cost: dict[str, float] | None = None) -> None:
        """Puts a task back at once, its attempt not counted: for a worker that is told to stop."""
        with self.store.engine.begin() as connection:
            self._hold(connection, task, state=TaskState.QUEUED, attempt=_attempt(connection, task) - 1)
            _refresh(connection, task.job, cost)

    def waiting_tasks(self) -> int:
        """How many tasks could be claimed now: what decides how many workers are worth starting."""
        now = self.store.clock()
        with self.store.reads.begin() as connection:
            return connection.execute(
                select(func.count())
                .select_from(tasks.join(jobs, jobs.c.name == tasks.c.job))
                .where(jobs.c.kind == self.kind, jobs.c.state.in_(ACTIVE), _due(now))
                .where(tasks.c.state.in_((TaskState.QUEUED, TaskState.RUNNING)))
            ).scalar_one()


def _due(now: float) -> ColumnElement[bool]:
    """Tasks whose pause is over."""
    return or_(tasks.c.not_before <= now, tasks.c.not_before > now + LONGEST_PAUSE_S)


def _refresh(connection: Connection, job: str, cost: dict[str, float] | None = None, **values: Any) -> None:
    """Recomputes a job's progress from its tasks, adds cost, and counts the revision up."""
    if cost:
        text = connection.execute(_cost_of, {"of_job": job}).scalar_one()
        ledger: dict[str, float] = json.loads(text)
        for name, amount in cost.items():
            ledger[name] = ledger.get(name, 0) + amount
        values["cost"] = json.dumps(ledger)
    connection.execute(_refreshed(tuple(values)), {"of_job": job, **values})


# Statements of workers are made once: making them takes longer than running them, and there are many.
_OF_TASK = (parts.c.job == bindparam("of_job")) & (parts.c.idx == bindparam("of_idx"))
_parts_gone = delete(parts).where(_OF_TASK)
_part_added = insert(parts)
_cost_of = select(jobs.c.cost).where(jobs.c.name == bindparam("of_job")).with_for_update()


@lru_cache(maxsize=256)
def _held(columns: tuple[str, ...]) -> Update:
    """Sets these columns of a task, if its fence is the last one and its job has not ended."""
    alive = exists().where(jobs.c.name == tasks.c.job, jobs.c.state.in_(ACTIVE))
    return (
        update(tasks)
        .where(tasks.c.job == bindparam("of_job"), tasks.c.idx == bindparam("of_idx"))
        .where(tasks.c.fence == bindparam("of_fence"), tasks.c.state == TaskState.RUNNING, alive)
        .values({name: bindparam(name, type_=tasks.c[name].type) for name in columns})
    )


@lru_cache(maxsize=256)
def _refreshed(columns: tuple[str, ...]) -> Update:
    """Sets these columns of a job, its progress and its revision."""
    done = select(func.sum(tasks.c.units * tasks.c.fraction)).where(tasks.c.job == bindparam("of_job"))
    return (
        update(jobs)
        .where(jobs.c.name == bindparam("of_job"), jobs.c.state.in_(ACTIVE))
        .values(
            {name: bindparam(name, type_=jobs.c[name].type) for name in columns}
            | {"done": func.coalesce(done.scalar_subquery(), 0.0), "revision": jobs.c.revision + 1}
        )
    )


def _attempt(connection: Connection, task: Task) -> int:
    return connection.execute(
        select(tasks.c.attempt).where(tasks.c.job == task.job, tasks.c.idx == task.index)
    ).scalar_one()


def _write(connection: Connection, task: Task, **values: Any) -> None:
    connection.execute(
        update(tasks).where(tasks.c.job == task.job, tasks.c.idx == task.index).values(**values)
    )


def _one_claim_at_a_time(connection: Connection, kind: str) -> None:
    """Two claims at once could each see the other's key as free. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(kind.encode()).digest()[:8], signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(number)))
