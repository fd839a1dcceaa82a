"""Starts a job and shows how it goes on; the same command finds the same job again."""

from __future__ import annotations

import hashlib
from typing import Any

from donna.cli.display import Terminal
from donna.cli.output import open_console
from donna.client import Client
from donna.pipeline.display import show_progress
from donna.v1 import common_pb2

_NOT_DONE = (common_pb2.JOB_STATE_FAILED, common_pb2.JOB_STATE_CANCELLED)


def follow(client: Client, spec: Any, title: str) -> Any:
    """The finished resource that a spec describes. Progress goes to standard error.

    The request is named after the spec: started again after an interruption, it is the same job; a job that
    failed or was cancelled is tried anew. Raises JobFailed when it fails.
    """
    digest = hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()[:32]
    attempt = 1
    while True:
        resource = client.create(spec, request_id=f"cli-{digest}-{attempt}")
        if resource.job.state not in _NOT_DONE:
            return watch(client, resource, title)
        attempt += 1


def watch(client: Client, resource: Any, title: str) -> Any:
    """Waits for the job of a resource, or of a name, with a bar."""
    with Terminal(open_console(stderr=True)) as terminal, terminal.phase(title) as bar:
        return client.wait(resource, lambda current: show_progress(bar, current))
