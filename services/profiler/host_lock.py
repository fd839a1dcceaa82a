"""One measurement at a time on a machine, however many agents run on it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_S = 0.002
"""Shorter than the pause of any agent between two measurements, so that none is starved."""


@contextmanager
def machine(check: Callable[[], None], path: Path) -> Iterator[None]:
    """Waits until no other agent measures here, then keeps them waiting. `check` may raise to give up.

    The lock belongs to the open file: the system frees it when this process ends, however it ends.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        while not _taken(descriptor):
            check()
            time.sleep(LOOK_S)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
