"""How much a server takes on at once: what is over is refused at once, with a hint when to come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from donna.errors import ResourceExhausted

RETRY_S = 1.0
MAX_MESSAGE_BYTES = 16 << 20
"""The largest message that either end takes; what is larger travels as artifacts, in pieces."""


class Limit:
    """At most `most` of something at once. For one event loop: it has no lock."""

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what, self._now = most, what, 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """One of them, for as long as the context lasts. Raises ResourceExhausted when there are as many."""
        if self._now >= self._most:
            raise ResourceExhausted(
                f"this service has {self._most} {self._what} in hand already",
                reason=f"TOO_MANY_{self._what.upper()}",
                retry_after_s=RETRY_S,
            )
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1
