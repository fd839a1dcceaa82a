"""How a run tells what it is doing; the command draws bars, a test may stay silent."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Bar(Protocol):
    """The progress of one phase."""

    def update(self, done: float, total: float, message: str, eta_s: float | None) -> None:
        """How far it is; `eta_s` None means unknown."""


class Display(Protocol):
    """Shows phases and remarks."""

    def phase(self, title: str) -> AbstractContextManager[Bar]:
        """A phase that is at work until the context ends."""

    def say(self, sentence: str) -> None:
        """A remark worth keeping on the screen."""


class Silence:
    """Shows nothing."""

    def phase(self, title: str) -> AbstractContextManager[Bar]:
        return nullcontext(self)

    def say(self, sentence: str) -> None:
        pass

    def update(self, done: float, total: float, message: str, eta_s: float | None) -> None:
        pass


def show_progress(bar: Bar, resource: Any) -> None:
    """Draws how far the job of a resource is, or for what it waits."""
    progress = resource.job.progress
    # The first moments of a job are its workers' start: an estimate made of them is far too long.
    settled = progress.HasField("eta") and progress.done > 0.03 * progress.total
    eta_s = progress.eta.ToMilliseconds() / 1000 if settled else None
    waiting = f"waiting for {resource.job.waiting_for}" if resource.job.waiting_for else ""
    bar.update(progress.done, progress.total, waiting or progress.message, eta_s)
