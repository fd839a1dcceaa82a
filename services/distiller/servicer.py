"""The distiller on the wire: checks requests, makes jobs of them, shows how they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs import Job
from donna.jobs.engine import Engine
from donna.rpc.messages import check_name, check_request_id
from donna.rpc.paging import page_of_jobs
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
        self._watcher = Watcher(engine.store, self._watched)

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
        def respond(jobs: Iterable[Job], token: str) -> pb.ListBlockLibrariesResponse:
            return pb.ListBlockLibrariesResponse(
                block_libraries=map(self._message, jobs), next_page_token=token
            )

        return page_of_jobs(self._store, KIND, request, respond)

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

    def WatchBlockLibrary(
        self, request: pb.WatchBlockLibraryRequest, context: Any
    ) -> AsyncIterator[pb.WatchBlockLibraryResponse]:
        return self._watcher.watch(check_name(request.name, KIND))

    def ListBlockEntries(
        self, request: pb.ListBlockEntriesRequest, context: Any
    ) -> pb.ListBlockEntriesResponse:
        job = self._store.get(check_name(request.parent, KIND, "parent"))
        if job.result is None:
            raise FailedPrecondition(
                f"{job.name} is {job.state}: its entries are listed when it has succeeded"
            )
        library = Library.from_json(self._artifacts.get_bytes(job.result["manifest"]["sha256"]))
        page, token = wire.page(wire.entries(library), request.page_size, request.page_token)
        messages = [wire.entry_message(*entry, self._artifacts.named) for entry in page]
        return pb.ListBlockEntriesResponse(block_entries=messages, next_page_token=token)

    def InspectReference(
        self, request: pb.InspectReferenceRequest, context: Any
    ) -> pb.InspectReferenceResponse:
        return inspection.inspect_reference(request)

    def InspectDataset(self, request: pb.InspectDatasetRequest, context: Any) -> pb.InspectDatasetResponse:
        return inspection.inspect_dataset(request, self._admission.data_root)

    def ListProviders(self, request: pb.ListProvidersRequest, context: Any) -> pb.ListProvidersResponse:
        return pb.ListProvidersResponse(providers=catalogue.providers())

    def _watched(self, job: Job) -> pb.WatchBlockLibraryResponse:
        return pb.WatchBlockLibraryResponse(block_library=self._message(job))

    def _message(self, job: Job) -> pb.BlockLibrary:
        return wire.library_message(job, self._store.tasks(job.name))
