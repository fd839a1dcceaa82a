"""Jobs: what takes over a second. A record, a state machine, a store, and an engine that works them off."""

from donna.jobs.record import Job, JobError, JobState, Progress, Task, TaskSpec, TaskState
from donna.jobs.store import JobStore
from donna.jobs.work import Report, Work

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
