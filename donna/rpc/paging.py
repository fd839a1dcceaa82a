"""Pages of jobs that fit into a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from donna.jobs.record import Job
from donna.jobs.store import JobStore, check_page_size
from donna.rpc.limits import MAX_MESSAGE_BYTES

R = TypeVar("R", bound=Message)


def page_of_jobs(store: JobStore, kind: str, request: Any, respond: Callable[[Sequence[Job], str], R]) -> R:
    """The page that a List request asks for, made by `respond` of its jobs and the token of the next.

    Jobs may be long: a page holds fewer than were asked for rather than break the limit of a message. Raises
    InvalidArgument for a negative size, or a token that this store did not make.
    """
    size = check_page_size(request.page_size)
    while True:
        jobs, token = store.list(kind, page_size=size, page_token=request.page_token)
        response = respond(jobs, token)
        if len(jobs) <= 1 or response.ByteSize() <= MAX_MESSAGE_BYTES // 2:
            return response
        size = len(jobs) // 2
