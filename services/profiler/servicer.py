"""The profiler on the wire: validation, messages, and nothing of measuring."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs.engine import Engine
from donna.jobs.pruning import prune
from donna.jobs.record import Job, JobState, TaskState
from donna.jobs.store import check_page_size
from donna.rpc.artifact_servicer import check_hashes, receive
from donna.rpc.messages import check_name, check_request_id
from donna.rpc.paging import page_of_jobs
from donna.rpc.watch import Watcher
from donna.v1 import profiler_pb2 as pb
from donna.v1 import profiler_pb2_grpc
from services.profiler.canary import CanaryLog, pace_key
from services.profiler.description import Description, Descriptions
from services.profiler.device import Device, fingerprint_sha256
from services.profiler.devices import Devices
from services.profiler.measurement import MeasurementSettings
from services.profiler.models import ModelStore
from services.profiler.turns import Turns
from services.profiler.wire import measurement_message, read_network, read_settings, settings_message

MAX_PRIORITY = 1000
PRUNE_EVERY = 100
"""Measurements between two looks for those that are too old to be kept."""
T = TypeVar("T")


class ProfilerServicer(profiler_pb2_grpc.ProfilerServiceServicer):
    """`donna.v1.ProfilerService`; `keep` measurements that have ended stay on record."""

    def __init__(
        self,
        engine: Engine,
        devices: Devices,
        descriptions: Descriptions,
        turns: Turns,
        models: ModelStore,
        canaries: CanaryLog,
        keep: int = 10_000,
    ) -> None:
        self._engine = engine
        self._turns = turns
        self._store = engine.store
        self._devices = devices
        self._descriptions = descriptions
        self._models = models
        self._canaries = canaries
        self._keep, self._created = keep, itertools.count(1)
        self._watchers = {
            brief: Watcher(engine.store, functools.partial(_watched, brief=brief)) for brief in (False, True)
        }

    def ListDevices(self, request: pb.ListDevicesRequest, context: Any) -> pb.ListDevicesResponse:
        size = check_page_size(request.page_size)
        devices = [device for device in self._devices if device.identity.name > request.page_token]
        page = devices[:size]
        token = page[-1].identity.name if len(devices) > size else ""
        return pb.ListDevicesResponse(devices=self._described(page), next_page_token=token)

    def GetDevice(self, request: pb.GetDeviceRequest, context: Any) -> pb.GetDeviceResponse:
        device = self._devices.get(check_name(request.name, "devices"))
        return pb.GetDeviceResponse(device=self._described([device])[0])

    def _described(self, devices: Sequence[Device]) -> list[pb.Device]:
        found = self._descriptions.of(devices)
        return [self._device(device, told) for device, told in zip(devices, found, strict=True)]

    def _device(self, device: Device, told: Description) -> pb.Device:
        identity = device.identity
        digest = told.fingerprint_sha256
        canary = self._canaries.latest(pace_key(digest, identity.providers[0]))
        message = pb.Device(
            name=identity.name,
            kind=identity.kind,
            backend=identity.backend,
            description=identity.description,
            providers=identity.providers,
            fingerprint=told.fingerprint,
            fingerprint_sha256=digest,
            state=told.state,
            available=not told.away,
            unavailable_reason=told.away,
            queue_length=self._turns.waiting(identity.name),
        )
        if canary is not None:
            message.canary_drift, message.canary_ms = canary.drift, canary.latest_ms
            message.canary_time.FromNanoseconds(int(canary.at * 1e9))
        return message

    def FindMissingModels(
        self, request: pb.FindMissingModelsRequest, context: Any
    ) -> pb.FindMissingModelsResponse:
        missing = self._models.missing(check_hashes(request.sha256))
        partial = {sha256: self._models.partial_bytes(sha256) for sha256 in missing}
        return pb.FindMissingModelsResponse(
            missing_sha256=missing, partial_bytes={sha256: size for sha256, size in partial.items() if size}
        )

    async def UploadModel(
        self, request_iterator: AsyncIterator[pb.UploadModelRequest], context: Any
    ) -> pb.UploadModelResponse:
        arrival = self._models.arrival()
        sha256 = ""
        try:
            async for chunk in receive(request_iterator):
                if not arrival.begun:
                    sha256 = chunk.sha256
                    await _whole(arrival.begin, sha256, chunk.total_bytes, chunk.offset)
                await _whole(arrival.write, chunk.data)
            size_bytes = await _whole(arrival.finish)
        finally:
            arrival.close()
        return pb.UploadModelResponse(sha256=sha256, size_bytes=size_bytes)

    def CreateMeasurement(
        self, request: pb.CreateMeasurementRequest, context: Any
    ) -> pb.CreateMeasurementResponse:
        spec = self._spec(request)
        if request.validate_only:
            settings = settings_message(MeasurementSettings.from_json(spec["settings"]))
            checked = pb.Measurement(device=spec["device"], network=request.network, settings=settings)
            return pb.CreateMeasurementResponse(measurement=checked)
        job = self._engine.create(spec, request_id=check_request_id(request.request_id))
        if next(self._created) % PRUNE_EVERY == 0:
            prune(self._store, self._engine.work.kind, self._keep)
        return pb.CreateMeasurementResponse(
            measurement=measurement_message(self._answered(job), brief=request.brief)
        )

    def _spec(self, request: pb.CreateMeasurementRequest) -> dict[str, Any]:
        name = request.device
        device = self._devices.get(check_name(name, "devices", "device")) if name else self._devices.only()
        identity = device.identity
        network = read_network(request.network)
        settings = read_settings(request.settings)
        settings = replace(settings, provider=settings.provider or identity.providers[0])
        if settings.provider not in identity.providers:
            offered = ", ".join(identity.providers)
            said = f"{identity.name} offers {offered}, got {settings.provider[:80]!r}"
            raise InvalidArgument.of("settings.provider", said)
        if abs(request.priority) > MAX_PRIORITY:
            raise InvalidArgument.of("priority", f"must be within {MAX_PRIORITY}, got {request.priority}")
        missing = self._models.missing(network.hashes)
        if missing:
            said = f"{len(missing)} of the network's files are not on this host, the first is {missing[0]}"
            raise FailedPrecondition(said, reason="MODEL_MISSING", metadata={"sha256": missing[0]})
        return {
            "device": identity.name,
            "network": network.to_json(),
            "settings": settings.to_json(),
            "fingerprint_sha256": fingerprint_sha256(device.fingerprint()),
            "skip_cache": request.skip_cache,
            "priority": request.priority,
        }

    def _answered(self, job: Job) -> Job:
        """The job, ended at once when the cache had the answer."""
        tasks = list(self._store.tasks(job.name))
        if job.state is JobState.QUEUED and all(task.state is TaskState.DONE for task in tasks):
            return self._store.succeed(job.name, self._engine.work.result(job, tasks))
        return job

    def GetMeasurement(self, request: pb.GetMeasurementRequest, context: Any) -> pb.GetMeasurementResponse:
        job = self._store.get(check_name(request.name, "measurements"))
        return pb.GetMeasurementResponse(measurement=measurement_message(job, brief=request.brief))

    def ListMeasurements(
        self, request: pb.ListMeasurementsRequest, context: Any
    ) -> pb.ListMeasurementsResponse:
        def respond(jobs: Iterable[Job], token: str) -> pb.ListMeasurementsResponse:
            listed = (measurement_message(job, raw=False) for job in jobs)
            return pb.ListMeasurementsResponse(measurements=listed, next_page_token=token)

        return page_of_jobs(self._store, "measurements", request, respond)

    def DeleteMeasurement(
        self, request: pb.DeleteMeasurementRequest, context: Any
    ) -> pb.DeleteMeasurementResponse:
        name = check_name(request.name, "measurements")
        keys = [task.key for task in self._store.tasks(name) if task.key]
        self._store.delete(name)
        self._store.forget(keys)
        return pb.DeleteMeasurementResponse()

    def CancelMeasurement(
        self, request: pb.CancelMeasurementRequest, context: Any
    ) -> pb.CancelMeasurementResponse:
        job = self._store.cancel(check_name(request.name, "measurements"))
        return pb.CancelMeasurementResponse(measurement=measurement_message(job))

    def WatchMeasurement(
        self, request: pb.WatchMeasurementRequest, context: Any
    ) -> AsyncIterator[pb.WatchMeasurementResponse]:
        return self._watchers[request.brief].watch(check_name(request.name, "measurements"))


def _watched(job: Job, *, brief: bool) -> pb.WatchMeasurementResponse:
    return pb.WatchMeasurementResponse(measurement=measurement_message(job, brief=brief))


async def _whole(call: Callable[..., T], *arguments: Any) -> T:
    """The result of `call`, made in a thread. When the caller leaves meanwhile it is waited for all the same: what is
    half done would be in the way of the next upload."""
    made = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(made)
    except asyncio.CancelledError:
        await asyncio.wait([made])
        raise
