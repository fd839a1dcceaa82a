"""The finetuner on the wire: checks requests, makes jobs of them, shows how they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from typing import Any

from donna.errors import InvalidArgument
from donna.jobs import Job
from donna.jobs.engine import Engine
from donna.rpc.messages import check_name, check_request_id
from donna.rpc.paging import page_of_jobs
from donna.rpc.watch import Watcher
from donna.v1 import finetuner_pb2 as pb
from donna.v1 import finetuner_pb2_grpc
from services.finetuner import wire
from services.finetuner.admission import Admission
from services.finetuner.work import KIND


class FinetunerServicer(finetuner_pb2_grpc.FinetunerServiceServicer):
    """The six methods of a job resource."""

    def __init__(self, engine: Engine, admission: Admission, *, workers: int = 1) -> None:
        self._engine = engine
        self._workers = workers
        self._store = engine.store
        self._admission = admission
        self._watcher = Watcher(engine.store, self._watched)

    def CreateFinetuneJob(
        self, request: pb.CreateFinetuneJobRequest, context: Any
    ) -> pb.CreateFinetuneJobResponse:
        if not request.HasField("spec"):
            raise InvalidArgument.of("spec", "is required")
        request_id = check_request_id(request.request_id)
        admitted = self._admission.admit(wire.read_spec(request.spec))
        spec = admitted.to_dict()
        if request.validate_only:
            plan, known = self._admission.plan(admitted)
            planned = pb.FinetuneJob(
                spec=wire.spec_message(spec),
                plan=pb.FinetunePlan(**asdict(plan), workers=self._workers),
                networks=[wire.known_network(*network) for network in known],
            )
            return pb.CreateFinetuneJobResponse(finetune_job=planned)
        job = self._engine.create(spec, request_id=request_id)
        return pb.CreateFinetuneJobResponse(finetune_job=self._message(job))

    def GetFinetuneJob(self, request: pb.GetFinetuneJobRequest, context: Any) -> pb.GetFinetuneJobResponse:
        job = self._store.get(check_name(request.name, KIND))
        return pb.GetFinetuneJobResponse(finetune_job=self._message(job))

    def ListFinetuneJobs(
        self, request: pb.ListFinetuneJobsRequest, context: Any
    ) -> pb.ListFinetuneJobsResponse:
        def respond(jobs: Iterable[Job], token: str) -> pb.ListFinetuneJobsResponse:
            return pb.ListFinetuneJobsResponse(finetune_jobs=map(self._message, jobs), next_page_token=token)

        return page_of_jobs(self._store, KIND, request, respond)

    def DeleteFinetuneJob(
        self, request: pb.DeleteFinetuneJobRequest, context: Any
    ) -> pb.DeleteFinetuneJobResponse:
        self._store.delete(check_name(request.name, KIND))
        return pb.DeleteFinetuneJobResponse()

    def CancelFinetuneJob(
        self, request: pb.CancelFinetuneJobRequest, context: Any
    ) -> pb.CancelFinetuneJobResponse:
        job = self._store.cancel(check_name(request.name, KIND))
        return pb.CancelFinetuneJobResponse(finetune_job=self._message(job))

    def WatchFinetuneJob(
        self, request: pb.WatchFinetuneJobRequest, context: Any
    ) -> AsyncIterator[pb.WatchFinetuneJobResponse]:
        return self._watcher.watch(check_name(request.name, KIND))

    def _watched(self, job: Job) -> pb.WatchFinetuneJobResponse:
        return pb.WatchFinetuneJobResponse(finetune_job=self._message(job))

    def _message(self, job: Job) -> pb.FinetuneJob:
        return wire.job_message(job, self._store.tasks(job.name))
