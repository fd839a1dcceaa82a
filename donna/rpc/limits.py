"""How much a server takes on at once: what is over is refused at once, with a hint when to come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from donna.errors import ResourceExhausted

RETRY_S = 1.0
MAX_MESSAGE_BYTES = 16 << 20
"""The largest message that either end takes; what is larger travels as artifacts, in pieces."""
MOST = {"calls": 256, "watches": 1000, "uploads": 128, "downloads": 128, "agents": 1000, "probes": 32}
"""Of each kind of call, so many at once: none takes room from another. Probes, of health and reflection, need no
token, so their messages are all of the memory that a stranger can take."""


class Limit:
    """At most `most` of something at once, counted from any thread."""

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what, self._now = most, what, 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """One more. Raises ResourceExhausted when there are as many as may be."""
        with self._lock:
            if self._now < self._most:
                self._now += 1
                return
        raise ResourceExhausted(
            f"this service has {self._most} {self._what} in hand already",
            reason=f"TOO_MANY_{self._what.upper()}",
            retry_after_s=RETRY_S,
        )

    def leave(self) -> None:
        """One less."""
        with self._lock:
            self._now -= 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """One of them, for as long as the context lasts. Raises ResourceExhausted."""
        self.take()
        try:
            yield
        finally:
            self.leave()


def kind_of(method: str, *, request_streaming: bool, response_streaming: bool) -> str:
    """The kind of a call of /package.Service/Method, a key of MOST."""
    name = method.rpartition("/")[2]
    if method.startswith("/grpc."):
        return "probes"
    if name.startswith("Watch"):
        return "watches"
    if name == "Attach":
        return "agents"
    if request_streaming:
        return "uploads"
    return "downloads" if response_streaming else "calls"
