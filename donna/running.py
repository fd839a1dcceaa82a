"""Which local services are at work on a state folder: other commands find them instead of starting their own."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from donna import durable
from donna.client import Endpoints

FILE = "services.json"


@dataclass(frozen=True, kw_only=True)
class Running:
    """Services held by the process `pid`; `lasting` when they outlive the command that started them."""

    pid: int
    lasting: bool
    endpoints: Endpoints


@contextmanager
def announced(state: Path, endpoints: Endpoints, *, lasting: bool) -> Iterator[None]:
    """Tells other commands where the services are, for as long as the context lasts.

    Services that others announced, and that still run, stay announced.
    """
    path = state / FILE
    if running(state) is not None:
        yield
        return
    entry = {"pid": os.getpid(), "lasting": lasting, "endpoints": asdict(endpoints)}
    durable.write(path, json.dumps(entry).encode(), sync=False)
    try:
        yield
    finally:
        found = _read(path)
        if found is not None and found.pid == os.getpid():
            path.unlink(missing_ok=True)


def running(state: Path) -> Running | None:
    """The services that were announced for a state folder, if they are still there."""
    found = _read(state / FILE)
    return found if found is not None and _alive(found) else None


def _read(path: Path) -> Running | None:
    try:
        raw = json.loads(path.read_text())
        return Running(pid=raw["pid"], lasting=raw["lasting"], endpoints=Endpoints(**raw["endpoints"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alive(found: Running) -> bool:
    """The process is there, and something listens: a number that another process has taken over is not enough."""
    host, _, port = found.endpoints.predictor.rpartition(":")
    try:
        os.kill(found.pid, 0)
        socket.create_connection((host, int(port)), timeout=2.0).close()
    except (OSError, ValueError):
        return False
    return True
