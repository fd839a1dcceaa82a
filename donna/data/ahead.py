"""Batches made ahead of their use, by a thread: decoding and augmentation beside the training step."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 2
_POLL_S = 0.1


def ahead(batches: Iterable[T], depth: int = _DEPTH) -> Iterator[T]:
    """The same batches in the same order, up to `depth` of them ready before they are asked for.

    What making them raises is raised here; leaving the loop early ends the thread.
    """
    ready: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(maxsize=depth)
    left = threading.Event()

    def put(item: tuple[bool, T | BaseException | None]) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for batch in batches:
                if not put((True, batch)):
                    return
            put((False, None))
        except BaseException as error:  # whatever it is, it belongs to the loop that asked
            put((False, error))

    thread = threading.Thread(target=make, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if isinstance(item, BaseException):
                raise item
            if not more:
                return
            yield item  # type: ignore[misc] # a batch: errors and the end were told apart above
    finally:
        left.set()
        thread.join()
