"""The distiller on the wire: checks requests, makes jobs of them, shows how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs import Job
from donna.jobs.engine import Engine
from donna.rpc.messages import check_name, check_request_id
from donna.rpc.watch import Watcher
from donna.space import Library
from donna.v1 import distiller_pb2 as pb
from donna.v1 import distiller_pb2_grpc
from services.distiller import catalogue, inspection, wire
from services.distiller.admission import Admission
from services.distiller.work import KIND


class DistillerServicer(distiller_pb2_grpc.DistillerServiceServicer):
    """The methods of block libraries, and what helps to describe one."""

    def __init__(
        self, engine: Engine, admission: Admission, artifacts: ArtifactStore, *, workers: int = 1
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._store = engine.store
        self._admission = admission
        self._artifacts = artifacts
        self._watcher = Watcher(engine.store)

    def CreateBlockLibrary(
        self, request: pb.CreateBlockLibraryRequest, context: Any
    ) -> pb.CreateBlockLibraryResponse:
        if not request.HasField("spec"):
            raise InvalidArgument.of("spec", "is required")
        request_id = check_request_id(request.request_id)
        planned = self._admission.plan(self._admission.admit(wire.read_spec(request.spec)))
        if request.validate_only:
            message = wire.planned_message(planned, self._workers)
            return pb.CreateBlockLibraryResponse(block_library=message)
        job = self._engine.create(planned.request.to_dict(), request_id=request_id)
        return pb.CreateBlockLibraryResponse(block_library=self._message(job))

    def GetBlockLibrary(self, request: pb.GetBlockLibraryRequest, context: Any) -> pb.GetBlockLibraryResponse:
        job = self._store.get(check_name(request.name, KIND))
        return pb.GetBlockLibraryResponse(block_library=self._message(job))

    def ListBlockLibraries(
        self, request: pb.ListBlockLibrariesRequest, context: Any
    ) -> pb.ListBlockLibrariesResponse:
        jobs, token = self._store.list(KIND, page_size=request.page_size, page_token=request.page_token)
        return pb.ListBlockLibrariesResponse(
            block_libraries=[self._message(job) for job in jobs], next_page_token=token
        )

    def DeleteBlockLibrary(
        self, request: pb.DeleteBlockLibraryRequest, context: Any
    ) -> pb.DeleteBlockLibraryResponse:
        self._store.delete(check_name(request.name, KIND))
        return pb.DeleteBlockLibraryResponse()

    def CancelBlockLibrary(
        self, request: pb.CancelBlockLibraryRequest, context: Any
    ) -> pb.CancelBlockLibraryResponse:
        job = self._store.cancel(check_name(request.name, KIND))
        return pb.CancelBlockLibraryResponse(block_library=self._message(job))

    async def WatchBlockLibrary(
        self, request: pb.WatchBlockLibraryRequest, context: Any
    ) -> AsyncIterator[pb.WatchBlockLibraryResponse]:
        async for job in self._watcher.watch(check_name(request.name, KIND)):
            message = await asyncio.to_thread(self._message, job)
            yield pb.WatchBlockLibraryResponse(block_library=message)

    def ListBlockEntries(
        self, request: pb.ListBlockEntriesRequest, context: Any
    ) -> pb.ListBlockEntriesResponse:
        job = self._store.get(check_name(request.parent, KIND, "parent"))
        if job.result is None:
            raise FailedPrecondition(
                f"{job.name} is {job.state}: its entries are listed when it has succeeded"
            )
        library = Library.from_json(self._artifacts.get_bytes(job.result["manifest"]["sha256"]))
        entries = wire.entry_messages(library, self._artifacts.describe)
        page, token = wire.page(entries, request.page_size, request.page_token)
        return pb.ListBlockEntriesResponse(block_entries=page, next_page_token=token)

    def InspectReference(
        self, request: pb.InspectReferenceRequest, context: Any
    ) -> pb.InspectReferenceResponse:
        return inspection.inspect(request)

    def ListProviders(self, request: pb.ListProvidersRequest, context: Any) -> pb.ListProvidersResponse:
        return pb.ListProvidersResponse(providers=catalogue.providers())

    def _message(self, job: Job) -> pb.BlockLibrary:
        return wire.library_message(job, self._store.tasks(job.name))
