"""How a run tells what it is doing; the command draws bars, a test may stay silent."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


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
