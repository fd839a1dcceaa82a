"""A clock that stands still until it is moved, and a way to wait for what others do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


def eventually(ask: Callable[[], T], *, within_s: float = 30.0) -> T:
    """The first answer that is true. Fails when there is none for a long time."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {within_s} s"
        time.sleep(0.01)
    return answer
