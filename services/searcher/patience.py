"""Waiting for another service: the job says for what it waits, and goes on when the call gets through."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from donna.errors import DeadlineExceeded, Unavailable
from donna.jobs.work import Report

T = TypeVar("T")
STEP_S = 0.2


def patiently(report: Report, what: str, call: Callable[[], T], retry_s: float) -> T:
    """The result of `call`, tried again every `retry_s` seconds while it is Unavailable or too slow.

    Raises Cancelled when the job is cancelled meanwhile, and whatever else `call` raises.
    """
    while True:
        try:
            result = call()
            report.waiting("")
            return result
        except (Unavailable, DeadlineExceeded) as error:
            report.waiting(f"{what}: {error.message}")
        until = time.monotonic() + retry_s
        while time.monotonic() < until:
            report.check()
            time.sleep(min(STEP_S, retry_s))
