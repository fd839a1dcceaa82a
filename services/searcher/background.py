"""One write at a time, behind the work: the next generation is searched while the last one is stored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Background:
    """Runs one call at a time in a thread of its own. An error comes out at the next `run`, or at the end.

    Leaving the context waits for the last one.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._last: Future[None] | None = None

    def run(self, call: Callable[[], None]) -> None:
        """Starts `call` once the one before it has ended. Raises what that one raised."""
        self.wait()
        self._last = self._thread.submit(call)

    def wait(self) -> None:
        """Returns when nothing is under way. Raises what the last call raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._thread.shutdown(wait=True)
