"""Starts a job and shows how it goes on; the same command finds the same job again."""

from __future__ import annotations

import hashlib
from typing import Any

from donna.cli.display import Terminal
from donna.cli.output import open_console
from donna.client import Client
from donna.pipeline.display import show_progress


def follow(client: Client, spec: Any, title: str, *, quiet: bool = False) -> Any:
    """The finished resource that a spec describes. Progress goes to standard error.

    The request is named after the spec: started again after an interruption, it is the same job; a job that
    failed or was cancelled is tried anew. Raises JobFailed when it fails.
    """
    digest = hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()[:32]
    with Terminal(open_console(stderr=True), quiet) as terminal, terminal.phase(title) as bar:
        return client.ensure(spec, f"cli-{digest}", lambda current: show_progress(bar, current))


def watch(client: Client, name: str, title: str, *, quiet: bool = False) -> Any:
    """Waits for the job of that name, with a bar."""
    with Terminal(open_console(stderr=True), quiet) as terminal, terminal.phase(title) as bar:
        return client.wait(name, lambda current: show_progress(bar, current))
