"""Jobs in SQL: created once, read by many, paged, cancelled, deleted; and the results that outlive them."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from donna.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from donna.jobs.bell import Bell
from donna.jobs.database import check_database, reading, written_soon
from donna.jobs.postgresql import DatabaseClock
from donna.jobs.record import (
    ACTIVE,
    Job,
    JobError,
    JobState,
    Progress,
    Task,
    TaskSpec,
    TaskState,
    check_transition,
    time_left_s,
)
from donna.jobs.schema import jobs, parts, results, tasks

MAX_PAGE = 1000
MAX_TOKEN = 400
MAX_ACTIVE = 1000
RETRY_S, AWAY_RETRY_S = 10.0, 2.0


class JobStore:
    """All jobs of one service, of which at most `max_active` of a kind have not ended. Safe to use from many threads
    and processes at once. Where several machines share the database, the time is the database's."""

    def __init__(
        self, engine: Engine, clock: Callable[[], float] | None = None, *, max_active: int = MAX_ACTIVE
    ) -> None:
        self.engine = engine
        self._max_active = max_active
        self.reads = reading(engine)
        self.soon = written_soon(engine)
        if clock is None:
            clock = DatabaseClock(engine) if engine.dialect.name == "postgresql" else time.time
        self.clock = clock
        self.bell = Bell()

    def create(
        self, kind: str, spec: dict[str, Any], task_specs: Sequence[TaskSpec], *, request_id: str = ""
    ) -> Job:
        """Stores a job and its tasks in one transaction.

        Tasks whose key is remembered are DONE at once. The same request_id with the same spec returns the job
        that exists; with another spec it raises AlreadyExists. Raises ResourceExhausted when too many wait already.
        """
        if not task_specs:
            raise ValueError(f"a job of {kind} needs at least one task")
        text, digest = _canonical(spec)
        if known := self._by_request(kind, request_id, digest):
            return known
        name = f"{kind}/{secrets.token_hex(8)}"
        try:
            with self.engine.begin() as connection:
                self._check_room(connection, kind)
                remembered = _recall(connection, [t.key for t in task_specs if t.key])
                done = sum(t.units for t in task_specs if t.key in remembered)
                connection.execute(
                    insert(jobs).values(
                        name=name,
                        kind=kind,
                        spec=text,
                        spec_sha256=digest,
                        request_id=request_id or None,
                        state=JobState.QUEUED,
                        created_at=self.clock(),
                        done=done,
                        total=sum(t.units for t in task_specs),
                    )
                )
                connection.execute(
                    insert(tasks),
                    [
                        {
                            "job": name,
                            "idx": index,
                            "key": t.key,
                            "spec": json.dumps(t.spec),
                            "label": t.label,
                            "units": t.units,
                            "fraction": float(t.key in remembered),
                            "state": TaskState.DONE if t.key in remembered else TaskState.QUEUED,
                            "reused": t.key in remembered,
                            "result": json.dumps(remembered[t.key]) if t.key in remembered else None,
                        }
                        for index, t in enumerate(task_specs)
                    ],
                )
        except IntegrityError:  # another process was faster with the same request_id
            if known := self._by_request(kind, request_id, digest):
                return known
            raise
        self.bell.ring()
        return self.get(name)

    def requested(self, kind: str, spec: dict[str, Any], request_id: str) -> Job | None:
        """The job that `create` would return because it exists; None when it would make one. Raises AlreadyExists."""
        return self._by_request(kind, request_id, _canonical(spec)[1])

    def _check_room(self, connection: Connection, kind: str) -> None:
        """Jobs that wait cost everybody: the engine looks at each of them again and again."""
        waiting = select(func.count()).where(jobs.c.kind == kind, jobs.c.state.in_(ACTIVE))
        if connection.execute(waiting).scalar_one() >= self._max_active:
            raise ResourceExhausted(
                f"{self._max_active} {kind} wait or run already, which is the limit of this service",
                reason="TOO_MANY_JOBS",
                metadata={"limit": str(self._max_active)},
                retry_after_s=RETRY_S,
            )

    def _by_request(self, kind: str, request_id: str, digest: str) -> Job | None:
        if not request_id:
            return None
        with self.reads.begin() as connection:
            row = connection.execute(
                select(jobs).where(jobs.c.kind == kind, jobs.c.request_id == request_id)
            ).one_or_none()
        if row is None:
            return None
        if row.spec_sha256 != digest:
            raise AlreadyExists(
                f"request_id {request_id!r} was used before for another request", reason="REQUEST_ID_REUSED"
            )
        return self._job(row)

    def get(self, name: str) -> Job:
        """Raises NotFound."""
        with self.reads.begin() as connection:
            row = connection.execute(select(jobs).where(jobs.c.name == name)).one_or_none()
        if row is None:
            raise NotFound(f"{name} does not exist", metadata={"name": name[:200]})
        return self._job(row)

    def check(self) -> None:
        """Raises Unavailable unless the database is there and answers."""
        check_database(self.engine)

    def revisions(self, names: Iterable[str]) -> dict[str, int]:
        """The current revision of each job that exists: the cheap question of a watcher."""
        with self.reads.begin() as connection:
            rows = connection.execute(
                select(jobs.c.name, jobs.c.revision).where(jobs.c.name.in_(list(names)))
            )
            return {row.name: row.revision for row in rows}

    def list(self, kind: str, *, page_size: int = 0, page_token: str = "") -> tuple[list[Job], str]:
        """One page, newest first, and the token of the next page ("" on the last).

        Raises InvalidArgument for a negative size or a token that this store did not make.
        """
        size = check_page_size(page_size)
        query = select(jobs).where(jobs.c.kind == kind).order_by(jobs.c.created_at.desc(), jobs.c.name.desc())
        if page_token:
            at, name = _read_token(page_token)
            query = query.where(
                or_(jobs.c.created_at < at, and_(jobs.c.created_at == at, jobs.c.name < name))
            )
        with self.reads.begin() as connection:
            rows = connection.execute(query.limit(size + 1)).all()
        more = len(rows) > size
        return [self._job(row) for row in rows[:size]], _write_token(rows[size - 1]) if more else ""

    def active_states(self, kind: str) -> dict[str, JobState]:
        """Names and states of the jobs that have not ended, oldest first: the cheap question of who waits."""
        with self.reads.begin() as connection:
            rows = connection.execute(
                select(jobs.c.name, jobs.c.state)
                .where(jobs.c.kind == kind, jobs.c.state.in_(ACTIVE))
                .order_by(jobs.c.created_at)
            )
            return {name: JobState(state) for name, state in rows}

    def ripe(self, kind: str) -> Sequence[Job]:
        """Jobs that can end, oldest first: all their tasks are done, or one has failed. One question, however many
        jobs wait."""
        own = tasks.c.job == jobs.c.name
        failed = exists().where(own, tasks.c.state == TaskState.FAILED)
        left = exists().where(own, tasks.c.state != TaskState.DONE)
        with self.reads.begin() as connection:
            rows = connection.execute(
                select(jobs)
                .where(jobs.c.kind == kind, jobs.c.state.in_(ACTIVE), or_(failed, ~left))
                .order_by(jobs.c.created_at)
            ).all()
        return [self._job(row) for row in rows]

    def task_states(self, name: str) -> dict[TaskState, int]:
        """Number of a job's tasks by state: the cheap question whether all are done."""
        with self.reads.begin() as connection:
            rows = connection.execute(
                select(tasks.c.state, func.count()).where(tasks.c.job == name).group_by(tasks.c.state)
            )
            return {TaskState(state): count for state, count in rows}

    def tasks(self, name: str) -> Sequence[Task]:
        """The tasks of a job, in order."""
        with self.reads.begin() as connection:
            rows = connection.execute(select(tasks).where(tasks.c.job == name).order_by(tasks.c.idx)).all()
        return [read_task(row) for row in rows]

    def task(self, name: str, index: int) -> Task:
        """One task of a job. Raises NotFound."""
        with self.reads.begin() as connection:
            row = connection.execute(
                select(tasks).where(tasks.c.job == name, tasks.c.idx == index)
            ).one_or_none()
        if row is None:
            raise NotFound(f"{name} has no task {index}", metadata={"name": name[:200]})
        return read_task(row)

    def cancel(self, name: str) -> Job:
        """Ends an active job as CANCELLED; its workers stop at their next check. Raises FailedPrecondition
        when it has ended otherwise; cancelling twice is fine."""
        return self._end(name, JobState.CANCELLED)

    def succeed(self, name: str, result: dict[str, Any]) -> Job:
        """Ends a job with its result."""
        return self._end(
            name, JobState.SUCCEEDED, result=json.dumps(result), done=jobs.c.total, message="done"
        )

    def fail(self, name: str, error: JobError) -> Job:
        """Ends a job with an error."""
        return self._end(name, JobState.FAILED, error=write_error(error))

    def _end(self, name: str, state: JobState, **values: Any) -> Job:
        with self.engine.begin() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.name == name, jobs.c.state.in_(ACTIVE))
                .values(
                    state=state, ended_at=self.clock(), waiting_for="", revision=jobs.c.revision + 1, **values
                )
            )
        self.bell.ring()
        job = self.get(name)
        check_transition(name, job.state, state)  # somebody else may have ended it otherwise
        return job

    def delete(self, name: str) -> None:
        """Removes a job that has ended. Remembered results stay."""
        job = self.get(name)
        if not job.state.ended:  # and then it stays so
            raise FailedPrecondition(f"{name} is {job.state}; cancel it first", reason="JOB_ACTIVE")
        with self.engine.begin() as connection:
            connection.execute(delete(parts).where(parts.c.job == name))
            connection.execute(delete(tasks).where(tasks.c.job == name))
            connection.execute(delete(jobs).where(jobs.c.name == name))

    def recall(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The remembered results of these content keys; unknown keys are left out."""
        with self.reads.begin() as connection:
            return _recall(connection, list(keys))

    def forget(self, keys: Iterable[str]) -> None:
        """Removes remembered results: their work will be done again when it is asked for."""
        with self.engine.begin() as connection:
            connection.execute(delete(results).where(results.c.key.in_(list(keys))))

    def count(self, kind: str) -> dict[JobState, int]:
        """Number of jobs by state."""
        with self.reads.begin() as connection:
            rows = connection.execute(
                select(jobs.c.state, func.count()).where(jobs.c.kind == kind).group_by(jobs.c.state)
            )
            return {JobState(state): count for state, count in rows}

    def _job(self, row: Row[Any]) -> Job:
        state = JobState(row.state)
        eta = None
        if state is JobState.RUNNING and row.eta_from_at is not None:
            eta = time_left_s(
                self.clock() - row.eta_from_at, row.done - row.eta_from_done, row.total - row.done
            )
        return Job(
            name=row.name,
            kind=row.kind,
            spec=json.loads(row.spec),
            request_id=row.request_id or "",
            state=state,
            progress=Progress(done=row.done, total=row.total, message=row.message, eta_s=eta),
            cost=json.loads(row.cost),
            error=read_error(row.error),
            waiting_for=row.waiting_for,
            result=json.loads(row.result) if row.result else None,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            revision=row.revision,
        )


def _canonical(spec: dict[str, Any]) -> tuple[str, str]:
    """A spec as text, and its sha256: equal specs have equal ones."""
    text = json.dumps(spec, sort_keys=True)
    return text, hashlib.sha256(text.encode()).hexdigest()


def as_unavailable(error: Exception) -> Unavailable | None:
    """What a caller is told when the database is away, locked or full; None for any other error."""
    if not isinstance(error, (OperationalError, InterfaceError, NoConnection)):
        return None
    full = "full" in str(getattr(error, "orig", "")).lower()
    return Unavailable(
        f"the job store {'is full' if full else 'does not answer'}; nothing was changed",
        reason="STORE_FULL" if full else "STORE_UNAVAILABLE",
        retry_after_s=AWAY_RETRY_S,
    )


def check_page_size(page_size: int) -> int:
    """The page size to use. Raises InvalidArgument when it is negative; 0 means 50, the largest is 1000."""
    if page_size < 0:
        raise InvalidArgument.of("page_size", f"must not be negative, got {page_size}")
    return min(page_size or 50, MAX_PAGE)


def _write_token(row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([float(row.created_at), row.name]).encode()).decode()


def _read_token(token: str) -> tuple[float, str]:
    try:
        if len(token) > MAX_TOKEN:
            raise ValueError("too long")
        at, name = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
        if not (isinstance(at, float) and math.isfinite(at) and isinstance(name, str) and name.isprintable()):
            raise TypeError("not a time and a name")
        return at, name
    except (ValueError, TypeError) as error:
        raise InvalidArgument.of("page_token", "was not made by this service") from error


def _recall(connection: Connection, keys: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(keys), 500):
        rows = connection.execute(select(results).where(results.c.key.in_(keys[start : start + 500])))
        found.update({row.key: json.loads(row.result) for row in rows})
    return found


def read_task(row: Row[Any]) -> Task:
    """A task from its row."""
    return Task(
        job=row.job,
        index=row.idx,
        key=row.key,
        spec=json.loads(row.spec),
        label=row.label,
        units=row.units,
        state=TaskState(row.state),
        attempt=row.attempt,
        fence=row.fence,
        reused=row.reused,
        result=json.loads(row.result) if row.result else None,
        error=read_error(row.error),
    )


def read_error(text: str | None) -> JobError | None:
    """The inverse of `write_error`; None stays None."""
    return JobError(**json.loads(text)) if text else None


def write_error(error: JobError) -> str:
    """An error as JSON."""
    return json.dumps({"reason": error.reason, "message": error.message, "metadata": error.metadata})
