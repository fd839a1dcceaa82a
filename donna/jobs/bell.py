"""A bell for the threads of one process: whoever changes the store rings, whoever waits for a change hears it.

Only a shortcut: changes made by other processes ring nothing, so everybody who waits also looks now and then.
"""

from __future__ import annotations

import threading


class Bell:
    """Counts its rings, so that one that came just before the wait is not missed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it rang; read it before looking at what may change."""
        return self._rings

    def ring(self) -> None:
        """Wakes everybody who waits."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, timeout_s: float) -> None:
        """Returns when it rang more than `heard` times, at the latest after `timeout_s` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != heard, timeout_s)
