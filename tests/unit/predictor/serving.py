"""The predictor's servicer behind a real server on loopback, with its engine and stores in a folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from donna.artifacts import ArtifactStore
from donna.rpc.channel import Remote, open_channel
from donna.rpc.messages import artifact_message
from donna.rpc.server import Server
from donna.service import open_stores
from donna.space import Library
from donna.v1 import common_pb2
from donna.v1 import predictor_pb2 as pb
from donna.v1.predictor_pb2_grpc import PredictorServiceStub
from services.predictor.__main__ import build
from services.predictor.settings import PredictorSettings


class Service:
    """A running predictor: its stub, and its artifact store."""

    def __init__(self, stub: Remote, artifacts: ArtifactStore, address: str) -> None:
        self.stub = stub
        self.address = address
        self.artifacts = artifacts

    def put(self, library: Library) -> common_pb2.Artifact:
        return artifact_message(self.artifacts.put_bytes(library.to_json()))

    def fit(self, spec: pb.PredictorSpec, request_id: str = "") -> pb.Predictor:
        """Creates a predictor and watches it to its end."""
        request = pb.CreatePredictorRequest(spec=spec, request_id=request_id)
        created = self.stub.CreatePredictor(request).predictor
        watched = list(self.stub.WatchPredictor(pb.WatchPredictorRequest(name=created.name), deadline_s=60))
        return watched[-1].predictor


@contextmanager
def served(folder: Path) -> Iterator[Service]:
    """Starts the service; stops it, with its threads, at the end."""
    settings = PredictorSettings(state=folder)
    store, artifacts = open_stores(settings, "predictor")
    parts = build(settings, store, artifacts)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    for engine in parts.engines:
        engine.start()

    async def start() -> tuple[Server, str]:
        server = Server(parts.endpoints, listen="127.0.0.1:0", healthy=lambda: True)
        return server, await server.start()

    server, address = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    channel = open_channel(address)
    try:
        yield Service(Remote(PredictorServiceStub, channel), artifacts, address)
    finally:
        channel.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        for engine in parts.engines:
            engine.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
