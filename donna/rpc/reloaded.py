"""Values from files that are read again when the files change: tokens and certificates change while a service runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from donna.errors import DonnaError

log = logging.getLogger("donna.rpc")
LOOK_S = 1.0
T = TypeVar("T")


class Reloaded(Generic[T]):
    """What `read` makes of files. The call gives it, and looks at the files at most every `look_s` seconds.

    While changed files cannot be read, half-written ones for example, the last good value stays. The first reading
    raises what `read` raises.
    """

    def __init__(self, read: Callable[[], T], *paths: str, look_s: float = LOOK_S) -> None:
        self._read, self._paths, self._look_s = read, [Path(path) for path in paths if path], look_s
        self._lock = threading.Lock()
        self._state = self._look()
        self._value = read()
        self._looked_at = time.monotonic()

    def __call__(self) -> T:
        with self._lock:
            if time.monotonic() - self._looked_at >= self._look_s:
                self._looked_at = time.monotonic()
                state = self._look()
                if state != self._state:
                    self._renew(state)
            return self._value

    def _renew(self, state: object) -> None:
        names = ", ".join(str(path) for path in self._paths)
        try:
            self._value = self._read()
        except DonnaError as error:
            log.warning("%s changed but cannot be used, the former content stays: %s", names, error.message)
            return
        self._state = state
        log.info("%s changed and was read again", names)

    def _look(self) -> object:
        """What is different when a file is: links are followed, since a mounted secret changes by its link."""
        files = [inner for path in self._paths for inner in (path, *_inside(path))]
        return [(str(path), _stamp(path)) for path in sorted(files)]


def _inside(folder: Path) -> Sequence[Path]:
    """What is in a folder: nothing, where it is none or cannot be listed, which `read` says in a sentence."""
    try:
        return [*folder.iterdir()]
    except OSError:
        return ()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
