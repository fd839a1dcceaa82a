"""The records of jobs and tasks, and their state machine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from donna.errors import DonnaError, FailedPrecondition


class JobState(StrEnum):
    """Where a job stands; the same words as `donna.v1.JobState`."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """True when the job will not change any more."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset(
        {JobState.RUNNING, JobState.WAITING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.RUNNING: frozenset({JobState.WAITING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.WAITING: frozenset({JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

ACTIVE = tuple(state for state in JobState if TRANSITIONS[state])


def check_transition(name: str, old: JobState, new: JobState) -> None:
    """Raises FailedPrecondition unless a job may go from `old` to `new`."""
    if new is not old and new not in TRANSITIONS[old]:
        raise FailedPrecondition(f"{name} is {old} and cannot become {new}", reason="JOB_ENDED")


MAX_ETA_S = 365 * 24 * 3600.0


def time_left_s(elapsed_s: float, moved: float, left: float) -> float | None:
    """The time that `left` units take at the pace of `moved` units in `elapsed_s`; None when nobody can say."""
    if moved <= 0 or left < 0 or elapsed_s < 0:
        return None
    eta_s = elapsed_s / moved * left
    return eta_s if eta_s <= MAX_ETA_S else None


class TaskState(StrEnum):
    """Where a task stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is, in units of its own; `total` 0 means unknown, `eta_s` None means unknown."""

    done: float = 0.0
    total: float = 0.0
    message: str = ""
    eta_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class JobError:
    """Why a job or task failed: `reason` for programs, `message` for a person."""

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: DonnaError) -> JobError:
        return cls(reason=error.reason, message=error.message, metadata=error.metadata)


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One independent, idempotent piece of a job.

    `key` is a content key: a task whose key has a remembered result is never run again, by any job.
    An empty key means that the result is not shared. `units` is its share of the job's progress.
    """

    key: str
    spec: dict[str, Any]
    label: str = ""
    units: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task as stored. `fence` grows with every claim: a writer with an old fence is refused."""

    job: str
    index: int
    key: str
    spec: dict[str, Any]
    label: str
    units: float
    state: TaskState
    attempt: int
    fence: int
    reused: bool
    result: dict[str, Any] | None
    error: JobError | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as stored. Times are seconds since the epoch; `cost` holds counters that only grow."""

    name: str
    kind: str
    spec: dict[str, Any]
    request_id: str
    state: JobState
    progress: Progress
    cost: dict[str, float]
    error: JobError | None
    waiting_for: str
    result: dict[str, Any] | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    revision: int
