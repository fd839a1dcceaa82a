"""A searcher in this process, on a loopback port, beside fake neighbours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from donna.artifacts import ArtifactStore
from donna.rpc.channel import Remote, open_channel
from donna.rpc.server import Server
from donna.service import open_stores
from donna.v1 import searcher_pb2_grpc
from services.searcher.__main__ import build
from services.searcher.profilers import Profilers
from services.searcher.settings import SearcherSettings
from tests.unit.searcher.fakes import Fake


class Running:
    """One running searcher; `remote` calls it, `stop` ends it as SIGTERM would; `profilers` are those it knows."""

    def __init__(self, state: Path, **settings: Any) -> None:
        self.settings = SearcherSettings(state=state, **settings)
        self.store, self.artifacts = open_stores(self.settings, "searcher")
        self.parts = build(self.settings, self.store, self.artifacts)
        gateway = next(e.servicer for e in self.parts.endpoints if e.name.endswith("ProfilerService"))
        self.profilers: Profilers = gateway._profilers
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = Server(self.parts.endpoints, listen="127.0.0.1:0", healthy=lambda: True)
        self.address = asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result()
        for engine in self.parts.engines:
            engine.start()
        self._channel = open_channel(self.address)
        self.remote = Remote(searcher_pb2_grpc.SearcherServiceStub, self._channel)

    def stop(self) -> None:
        for engine in self.parts.engines:
            engine.close()
        self._channel.close()
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "state" / "artifacts")


@pytest.fixture
def fake() -> Iterator[Callable[[Any], Fake]]:
    """Starts fakes; they end with the test."""
    started: list[Fake] = []

    def start(servicer: Any) -> Fake:
        started.append(Fake(servicer))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def searcher(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts searchers on the same state; they end with the test."""
    running: list[Running] = []

    def start(**settings: Any) -> Running:
        running.append(Running(tmp_path / "state", retry_s=0.1, **settings))
        return running[-1]

    yield start
    for each in running:
        if each.parts.engines[0].alive:
            each.stop()
