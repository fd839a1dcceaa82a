"""What to do while the job store is away: ask again, for as long as the answer is worth having."""

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
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return ask()
        except STORE_ERRORS as error:
            if (away := as_unavailable(error)) is None:
                raise
            log.warning("%s: %s; trying again", what, away.message)
        check()
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
