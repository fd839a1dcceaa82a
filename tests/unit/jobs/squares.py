"""A small kind of job: squares of numbers, with gates to hold tasks at and a log of what was computed."""

import os
import time
from pathlib import Path
from typing import Any

from donna.errors import FailedPrecondition
from donna.jobs import Job, Report, Task, TaskSpec


class Squares:
    """spec: `count` numbers; `folder` for gates and log; `held` numbers wait until `open-<n>` is there.

    Task n saves a checkpoint before it waits; `log` has one line `<n> <pid> <start>` for every run, where start is
    "fresh" or "resumed".
    """

    kind = "squares"

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        keyed = spec.get("keyed", True)
        return [
            TaskSpec(key=f"square-{n}" if keyed else "", spec={**spec, "n": n}, label=f"square of {n}")
            for n in range(spec["count"])
        ]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        n, folder = task.spec["n"], Path(task.spec["folder"])
        saved = report.saved()
        _append(folder / "log", f"{n} {os.getpid()} {'resumed' if saved else 'fresh'}")
        if n in task.spec.get("impossible", []):
            raise FailedPrecondition(f"{n} has no square today", reason="NO_SQUARE", metadata={"n": str(n)})
        if n in task.spec.get("defect", []):
            raise ZeroDivisionError("a detail that no caller may see")
        report.save({"seen": n})
        while n in task.spec.get("held", []) and not (folder / f"open-{n}").exists():
            report.check()
            report.progress(1, 2, f"{n} waits")
            time.sleep(0.01)
        report.cost(measurements=1)
        return {"square": n * n}

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        return {"sum": sum(task.result["square"] for task in tasks if task.result)}


def runs(folder: Path) -> list[tuple[int, int, str]]:
    """(number, process, start) of every run so far."""
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(n), int(pid), start) for n, pid, start in (line.split() for line in lines)]


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
