"""Jobs: what takes over a second. A record, a state machine, a store, and an engine that works them off."""

from typing import TYPE_CHECKING, Any

from donna.jobs.record import Job, JobError, JobState, Progress, Task, TaskSpec, TaskState
from donna.jobs.work import Report, Work

if TYPE_CHECKING:
    from donna.jobs.store import JobStore

__all__ = [
    "Job",
    "JobError",
    "JobState",
    "JobStore",
    "Progress",
    "Report",
    "Task",
    "TaskSpec",
    "TaskState",
    "Work",
]


def __getattr__(name: str) -> Any:
    """Clients know jobs by their records: the store, which brings a database's library along, comes when asked for."""
    if name != "JobStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from donna.jobs.store import JobStore

    return JobStore
