"""The distiller's servicer behind a real server on loopback; its worker is a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.jobs.engine import Engine
from donna.jobs.placement import Threads
from donna.rpc.channel import Remote, open_channel
from donna.rpc.server import Endpoint, Server
from donna.service import open_stores
from donna.v1 import distiller_pb2 as pb
from donna.v1 import distiller_pb2_grpc
from services.distiller.servicer import DistillerServicer
from services.distiller.settings import DistillerSettings
from services.distiller.work import DistillWork


class Service:
    """A running distiller: its stub, its work and its stores."""

    def __init__(self, stub: Remote, work: DistillWork, store: JobStore, artifacts: ArtifactStore) -> None:
        self.stub, self.work, self.store, self.artifacts = stub, work, store, artifacts

    def create(self, spec: pb.BlockLibrarySpec, **request: Any) -> pb.BlockLibrary:
        """Creates a library and returns it as it is at once."""
        return self.stub.CreateBlockLibrary(pb.CreateBlockLibraryRequest(spec=spec, **request)).block_library

    def build(self, spec: pb.BlockLibrarySpec, **request: Any) -> pb.BlockLibrary:
        """Creates a library and watches it to its end."""
        name = self.create(spec, **request).name
        watched = self.stub.WatchBlockLibrary(pb.WatchBlockLibraryRequest(name=name), deadline_s=60)
        return list(watched)[-1].block_library


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Service]:
    """Starts the service; stops it, with its threads, at the end."""
    chosen = DistillerSettings(device="cpu", threads=2, state=folder, **settings)
    store, artifacts = open_stores(chosen, "distiller")
    work = DistillWork.of(chosen, store, artifacts)
    engine = Engine(store, work, Threads(store, work, limit=1))
    endpoint = Endpoint(
        add=distiller_pb2_grpc.add_DistillerServiceServicer_to_server,
        servicer=DistillerServicer(engine, work.admission, artifacts, workers=3),
        name=pb.DESCRIPTOR.services_by_name["DistillerService"].full_name,
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    engine.start()

    async def start() -> tuple[Server, str]:
        server = Server([endpoint], listen="127.0.0.1:0", healthy=lambda: True)
        return server, await server.start()

    server, address = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    channel = open_channel(address)
    try:
        yield Service(Remote(distiller_pb2_grpc.DistillerServiceStub, channel), work, store, artifacts)
    finally:
        channel.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        engine.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
