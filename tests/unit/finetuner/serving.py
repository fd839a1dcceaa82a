"""The finetuner's servicer behind a real server on loopback; its worker is a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.jobs.database import open_database
from donna.jobs.engine import Engine
from donna.jobs.placement import Threads
from donna.remembered import Remembered
from donna.rpc.channel import Remote, open_channel
from donna.rpc.server import Endpoint, Server
from donna.v1 import finetuner_pb2 as pb
from donna.v1 import finetuner_pb2_grpc
from services.finetuner.servicer import FinetunerServicer
from services.finetuner.work import FinetuneWork, files


class Service:
    """A running finetuner: its stub, its work and its job store."""

    def __init__(self, stub: Remote, work: FinetuneWork, store: JobStore) -> None:
        self.stub, self.work, self.store = stub, work, store

    def run(self, spec: pb.FinetuneSpec, **request: Any) -> pb.FinetuneJob:
        """Creates a job and watches it to its end."""
        created = self.stub.CreateFinetuneJob(pb.CreateFinetuneJobRequest(spec=spec, **request)).finetune_job
        watched = self.stub.WatchFinetuneJob(pb.WatchFinetuneJobRequest(name=created.name), deadline_s=60)
        return list(watched)[-1].finetune_job


@contextmanager
def served(folder: Path, artifacts: ArtifactStore) -> Iterator[Service]:
    """Starts the service; stops it, with its threads, at the end."""
    store = JobStore(open_database(f"sqlite:///{folder / 'finetuner.db'}"))
    recall = Remembered(store, artifacts, files).recall
    work = FinetuneWork(artifacts, None, device="cpu", recall=recall)
    engine = Engine(store, work, Threads(store, work, limit=1))
    endpoint = Endpoint(
        add=finetuner_pb2_grpc.add_FinetunerServiceServicer_to_server,
        servicer=FinetunerServicer(engine, work.admission, workers=3),
        name=pb.DESCRIPTOR.services_by_name["FinetunerService"].full_name,
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
        yield Service(Remote(finetuner_pb2_grpc.FinetunerServiceStub, channel), work, store)
    finally:
        channel.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        engine.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
