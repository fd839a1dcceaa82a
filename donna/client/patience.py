"""Waiting for what goes on elsewhere: servers that are being restarted, and jobs that end in one way or another."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from donna.errors import DeadlineExceeded, DonnaError, ResourceExhausted, Unavailable
from donna.rpc.channel import NEVER_ANSWERED
from donna.v1 import common_pb2

T = TypeVar("T")
PATIENCE_S = 60.0
RETRY_S = 0.2
AWAY = (Unavailable, DeadlineExceeded, ResourceExhausted)
"""What may pass: a stream of a call ends with its deadline, after a day, and its job may take longer; a server that has
its hands full says when to come back, or else it will not pass."""

ENDED = (
    common_pb2.JOB_STATE_SUCCEEDED,
    common_pb2.JOB_STATE_FAILED,
    common_pb2.JOB_STATE_CANCELLED,
)


class JobFailed(DonnaError):
    """A job ended without a result; the message is the job's own."""

    default_reason = "JOB_FAILED"


def check_succeeded(name: str, job: common_pb2.Job) -> None:
    """Raises JobFailed, with the job's own reason and sentence, unless it succeeded."""
    if job.state == common_pb2.JOB_STATE_FAILED:
        error = job.error
        raise JobFailed(error.message, reason=error.reason, metadata=dict(error.metadata))
    if job.state == common_pb2.JOB_STATE_CANCELLED:
        raise JobFailed(f"{name} was cancelled", reason="CANCELLED")


class Patience:
    """How long somebody who is away is waited for: PATIENCE_S since he was last heard of."""

    def __init__(self, while_away: Callable[[], None]) -> None:
        self._while_away = while_away
        self._gone_since: float | None = None

    def heard(self) -> None:
        """He is there."""
        self._gone_since = None

    def wait(self, error: DonnaError) -> None:
        """Waits a little, or raises the error when that would not help or has been long enough; so may `while_away`."""
        full = isinstance(error, ResourceExhausted) and error.retry_after_s is None
        if error.reason == NEVER_ANSWERED or full:
            raise error
        now = time.monotonic()
        self._gone_since = now if self._gone_since is None else self._gone_since
        wait_s = error.retry_after_s or RETRY_S
        if now + wait_s - self._gone_since > PATIENCE_S:
            raise error
        self._while_away()
        time.sleep(wait_s)


def patiently(call: Callable[[], T], while_away: Callable[[], None]) -> T:
    """What a call returns that may be made again as a whole."""
    patience = Patience(while_away)
    while True:
        try:
            return call()
        except AWAY as error:
            patience.wait(error)
