"""`python -m services.profiler`: puts the profiler agent together and runs it."""

from __future__ import annotations

from pathlib import Path

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition
from donna.graphs import Limits
from donna.jobs.engine import Engine
from donna.jobs.store import JobStore
from donna.rpc.server import Endpoint
from donna.service import Parts
from donna.service import main as serve
from donna.v1 import profiler_pb2, profiler_pb2_grpc
from services.profiler.canary import CanaryLog
from services.profiler.description import Descriptions
from services.profiler.device import Device
from services.profiler.devices import Devices
from services.profiler.hub import dialler
from services.profiler.local_device import LocalDevice
from services.profiler.models import ModelStore
from services.profiler.servicer import ProfilerServicer
from services.profiler.settings import ProfilerSettings
from services.profiler.telemetry import DeviceMetrics
from services.profiler.turns import Turns
from services.profiler.work import MeasurementWork


def build(settings: ProfilerSettings, store: JobStore, artifacts: ArtifactStore) -> Parts:
    """The parts of the service."""
    local = LocalDevice(device_id=settings.device_id, default_provider=settings.default_provider)
    devices = Devices([local, *_phones(settings)])
    descriptions = Descriptions(list(devices))
    models = ModelStore(
        settings.state / "profiler-models",
        quota_bytes=settings.quota_bytes,
        limits=Limits(size_bytes=settings.max_model_bytes),
    )
    canaries = CanaryLog(settings.state / "profiler-canary.json", every=settings.canary_every)
    work = MeasurementWork(devices, models, canaries)
    turns = Turns(store, work, [device.identity.name for device in devices])
    engine = Engine(store, work, turns)
    endpoint = Endpoint(
        add=profiler_pb2_grpc.add_ProfilerServiceServicer_to_server,
        servicer=ProfilerServicer(
            engine, devices, descriptions, turns, models, canaries, settings.keep_measurements
        ),
        name=profiler_pb2.DESCRIPTOR.services_by_name["ProfilerService"].full_name,
    )
    dial = dialler(settings, devices, descriptions)
    return Parts(
        endpoints=[endpoint],
        engines=[engine],
        beside=dial,
        collectors=[DeviceMetrics(devices, descriptions, turns, canaries)],
        close=devices.close,
    )


def _phones(settings: ProfilerSettings) -> list[Device]:
    if not settings.phones:
        return []
    # adbutils is an extra: hosts without phones need not have it.
    try:
        from services.profiler.phones.attached import attached
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            f"phones need {error.name}, which comes with the extra donna[phones]"
        ) from None
    return attached(Path(settings.phones))


def main() -> None:
    """The program."""
    serve("profiler", ProfilerSettings, build)


if __name__ == "__main__":
    main()
