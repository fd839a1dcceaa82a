"""The time that one measurement on a phone may take: running counts against its deadline, cooling does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Allowance:
    """`deadline_s` of work and `rest_s` of rest, in seconds from now on."""

    def __init__(self, deadline_s: float, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = clock() + deadline_s
        self._rest_s = rest_s
        self._resting_since: float | None = None

    @property
    def left_s(self) -> float:
        """Time to work."""
        return self._deadline - self._clock()

    @property
    def rest_left_s(self) -> float:
        """Time to rest."""
        since = self._resting_since
        return self._rest_s - (self._clock() - since if since is not None else 0.0)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """What happens inside is rest."""
        started = self._resting_since = self._clock()
        try:
            yield
        finally:
            rested_s = self._clock() - started
            self._deadline += rested_s
            self._rest_s -= rested_s
            self._resting_since = None
