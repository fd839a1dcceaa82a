"""The device queue for threads: wait for the turn, hold the lease, notice when it is lost."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.profiler.failure import TIMEOUT, failure
from services.profiler.queue import DeviceQueue

LOOK_S = 0.5


class DeviceLease:
    """One for each device of the agent."""

    def __init__(self) -> None:
        self._queue = DeviceQueue(secrets.randbelow)
        self._changed = threading.Condition()

    @property
    def queue_length(self) -> int:
        """Measurements that wait."""
        with self._changed:
            return len(self._queue)

    @contextmanager
    def hold(
        self, *, priority: int, lease_s: float, check: Callable[[], None]
    ) -> Iterator[Callable[[], None]]:
        """Waits for the turn, then holds the device for at most `lease_s` seconds.

        `check` is called while waiting and may raise. Gives a function that calls `check` too and raises
        FailedPrecondition (TIMEOUT) once the lease has run out: then somebody else may have the device.
        """
        with self._changed:
            ticket = self._queue.enter(priority)
        try:
            while True:
                with self._changed:
                    if self._queue.take(ticket, time.monotonic(), lease_s):
                        break
                    self._changed.wait(LOOK_S)
                check()

            def go_on() -> None:
                check()
                with self._changed:
                    held = self._queue.holds(ticket, time.monotonic())
                if not held:
                    raise failure(TIMEOUT, f"the lease of the device ran out after {lease_s:g} s")

            yield go_on
        finally:
            with self._changed:
                self._queue.leave(ticket)
                self._changed.notify_all()
