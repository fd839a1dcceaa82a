"""Which task a thread works on: what it logs, and what it traces, carries the name of the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar

from donna.jobs.record import Task

_current: ContextVar[Task | None] = ContextVar("task", default=None)
around: list[Callable[[Task], AbstractContextManager[None]]] = []
"""What else is to last as long as a task is worked on; put here when a program starts."""


def current_task() -> Task | None:
    """The task in hand; None outside of any, and in threads that a task has started."""
    return _current.get()


@contextmanager
def working_on(task: Task) -> Iterator[None]:
    """For as long as it lasts, `task` is the one in hand."""
    before = _current.set(task)
    try:
        with ExitStack() as stack:
            for enter in around:
                stack.enter_context(enter(task))
            yield
    finally:
        _current.reset(before)
