"""What a service teaches the engine: how its kind of job splits, runs and joins."""

from __future__ import annotations

from typing import Any, Protocol

from donna.jobs.record import Job, Task, TaskSpec


class Report(Protocol):
    """How a running task speaks to the world."""

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Says how far this task is. Cheap: written a few times a second at most."""

    def cost(self, **counters: float) -> None:
        """Adds to the job's cost ledger (names of `donna.v1.Cost`)."""

    def check(self) -> None:
        """Raises Cancelled when the job was cancelled or the lease was lost; call it often."""

    def waiting(self, waiting_for: str) -> None:
        """Puts the job into WAITING, with what it waits for, until it is told that it waits for nothing: "".

        Part of the work may go on meanwhile, and says its progress. Cheap: written only when it changes."""

    def recall(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """The remembered results of these content keys."""

    def remember(self, key: str, result: dict[str, Any], **counters: float) -> bool:
        """Stores a result under its content key, with its cost, in one transaction.

        Returns False, and adds no cost, when the key was remembered already.
        """

    def save(
        self,
        state: dict[str, Any],
        *,
        part: tuple[int, dict[str, Any]] | None = None,
        partial: dict[str, Any] | None = None,
        fraction: float | None = None,
        message: str = "",
    ) -> None:
        """Stores this task's checkpoint (JSON); a later attempt finds it with `saved`.

        In the same transaction it writes `part`, publishes `partial` and says how far the task is (that a few times a
        second at most), if given. A state that grows has parts, each written once: (number, values), and number 0 takes
        the place of all that there are.
        """

    def saved(self) -> dict[str, Any] | None:
        """The checkpoint of an earlier attempt, or None."""

    def saved_parts(self) -> list[dict[str, Any]]:
        """The parts of that checkpoint, in order."""

    def publish(self, partial: dict[str, Any]) -> None:
        """Stores an intermediate result of the job, for watchers; replaced by the final one."""


class Work(Protocol):
    """One kind of job. `kind` is its collection: "blockLibraries"."""

    kind: str

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        """Splits a job; called once, when it is created. At least one task."""

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        """Executes one task and returns its result (JSON). Idempotent; raises DonnaError to fail the job,
        Unavailable to be tried again. A result with an `error` ends the task alone, and is not remembered."""

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        """Joins the results of all tasks into the job's. Idempotent."""
