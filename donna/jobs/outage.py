"""What to do while the job store is away: ask again. And after it: let those go on who were at work."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from donna.jobs.database import STORE_ERRORS
from donna.jobs.store import as_unavailable

log = logging.getLogger("donna.jobs")

T = TypeVar("T")
FIRST_PAUSE_S, LONGEST_PAUSE_S = (
    0.2,
    1.0,
)  # shorter than a lease, which has to be regained before another takes it


def outlast(ask: Callable[[], T], *, what: str, check: Callable[[], None]) -> T:
    """What `ask` returns, asked again while the store is away until `check` raises. Other errors are raised."""
    pause_s, said = FIRST_PAUSE_S, ""
    while True:
        try:
            found = ask()
        except STORE_ERRORS as error:
            if (away := as_unavailable(error)) is None:
                raise
            if away.message != said:
                said = away.message
                log.warning("%s: %s; trying again", what, said)
        else:
            if said:
                log.info("%s: the job store answers again", what)
            return found
        check()
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class Patience:
    """Leases run out while nobody can renew them, so whoever has not heard from the store for as long as it takes, or
    was stopped itself, first gives those who hold them the time of one lease, `ttl_s`, to say so."""

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._heard_at = time.monotonic()
        self._until = self._heard_at

    @property
    def wanted(self) -> bool:
        """Whether nothing may be taken from anybody now."""
        now = time.monotonic()
        return self._silent(now) or now < self._until

    def heard(self) -> None:
        """The store has answered."""
        now = time.monotonic()
        if self._silent(now):
            self._until = now + self._ttl_s
        self._heard_at = now

    def _silent(self, now: float) -> bool:
        return now - self._heard_at > self._ttl_s * 2 / 3  # leases are renewed every third of their time
