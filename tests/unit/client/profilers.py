"""A profiler that answers as it is told, on a real port: for what goes wrong on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from donna.client import Client, Endpoints
from donna.errors import AlreadyExists, FailedPrecondition, NotFound
from donna.v1 import common_pb2, profiler_pb2_grpc
from donna.v1 import profiler_pb2 as pb


class Profiler(profiler_pb2_grpc.ProfilerServiceServicer):
    """One device. `on_watch` is called when a measurement is watched, and may raise; `lasting` ones do not end; an id
    in `used` stands for another request."""

    def __init__(self) -> None:
        self.models: dict[str, bytes] = {}
        self.created: list[pb.CreateMeasurementRequest] = []
        self.known: dict[str, pb.Measurement] = {}
        self.used: set[str] = set()
        self.on_watch: Callable[[], None] = lambda: None
        self.lasting = False

    def ListDevices(self, request: pb.ListDevicesRequest, context: Any) -> pb.ListDevicesResponse:
        return pb.ListDevicesResponse(devices=[pb.Device(name="devices/cpu", kind="board", available=True)])

    def FindMissingModels(
        self, request: pb.FindMissingModelsRequest, context: Any
    ) -> pb.FindMissingModelsResponse:
        return pb.FindMissingModelsResponse(
            missing_sha256=[s for s in request.sha256 if s not in self.models]
        )

    async def UploadModel(
        self, request_iterator: AsyncIterator[pb.UploadModelRequest], context: Any
    ) -> pb.UploadModelResponse:
        data = b"".join([request.chunk.data async for request in request_iterator])
        sha256 = hashlib.sha256(data).hexdigest()
        self.models[sha256] = data
        return pb.UploadModelResponse(sha256=sha256, size_bytes=len(data))

    def CreateMeasurement(
        self, request: pb.CreateMeasurementRequest, context: Any
    ) -> pb.CreateMeasurementResponse:
        self.created.append(request)
        if request.network.model_sha256 not in self.models:
            raise FailedPrecondition("the model is not here", reason="MODEL_MISSING")
        if request.request_id in self.used:
            raise AlreadyExists("it was used before for another request", reason="REQUEST_ID_REUSED")
        known = self.known.setdefault(
            request.request_id, pb.Measurement(name=f"measurements/{len(self.known)}", device=request.device)
        )
        return pb.CreateMeasurementResponse(measurement=known)

    async def WatchMeasurement(
        self, request: pb.WatchMeasurementRequest, context: Any
    ) -> AsyncIterator[pb.WatchMeasurementResponse]:
        found = [m for m in self.known.values() if m.name == request.name]
        if not found:
            raise NotFound(f"{request.name} does not exist")
        yield pb.WatchMeasurementResponse(
            measurement=found[0]
        )  # a call that has begun is not made again by gRPC
        self.on_watch()
        while self.lasting:
            await asyncio.sleep(0.05)
        ended = pb.Measurement()
        ended.CopyFrom(found[0])
        if not ended.job.state:
            ended.job.state = common_pb2.JOB_STATE_SUCCEEDED
        ended.result.median_ms = 1.5
        yield pb.WatchMeasurementResponse(measurement=ended)


def client_of(address: str, **more: Any) -> Client:
    return Client(Endpoints(profilers={"board": address}), **more)
