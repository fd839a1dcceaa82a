"""A real profiler agent on loopback, for tests."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from donna.jobs import lifeline
from donna.rpc.channel import Remote, open_channel
from donna.v1 import common_pb2, profiler_pb2_grpc
from donna.v1 import profiler_pb2 as pb

FAST = common_pb2.MeasurementSettings(
    min_runs=5, max_runs=50, min_time_ms=1.0, relative_ci_width=1.0, max_repeats=1, deadline_ms=20_000.0
)


@contextmanager
def service(name: str, folder: Path, **settings: str) -> Iterator[str]:
    """The address of `python -m services.<name>` with its state in `folder`; `settings` are its environment."""
    folder.mkdir(exist_ok=True)
    told = {"STATE": str(folder / "state"), "ADDRESS_FILE": str(folder / "address"), **settings}
    (folder / "address").unlink(missing_ok=True)
    env = os.environ | {f"DONNA_{name.upper()}_{key}": value for key, value in told.items()}
    env["PYTHONPATH"] = str(Path(__file__).parents[3])
    with (folder / "log").open("ab") as log:
        process = lifeline.spawn(["-m", f"services.{name}"], env=env, output=log)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "address").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield (folder / "address").read_text()
    finally:
        lifeline.stop(process)


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[tuple[Remote, grpc.Channel]]:
    """A profiler, and the channel to it."""
    with (
        service("profiler", folder, **{"CANARY_EVERY": "0", **settings}) as address,
        open_channel(address) as channel,
    ):
        yield Remote(profiler_pb2_grpc.ProfilerServiceStub, channel), channel


def upload(remote: Remote, data: bytes, *, sha256: str = "", piece: int = 1 << 16, start: int = 0) -> str:
    """Sends a model from byte `start`; returns its hash."""
    sha256 = sha256 or hashlib.sha256(data).hexdigest()
    chunks = (
        pb.UploadModelRequest(
            chunk=common_pb2.Chunk(
                sha256=sha256, offset=at, total_bytes=len(data), data=data[at : at + piece]
            )
        )
        for at in range(start, len(data), piece)
    )
    return remote.UploadModel(chunks).sha256


def finished(remote: Remote, measurement: pb.Measurement) -> pb.Measurement:
    """Watches until the end."""
    for response in remote.WatchMeasurement(pb.WatchMeasurementRequest(name=measurement.name)):
        measurement = response.measurement
    return measurement


def whole(sha256: str) -> pb.MeasuredNetwork:
    return pb.MeasuredNetwork(model_sha256=sha256)


def stitched(*hashes: str) -> pb.MeasuredNetwork:
    return pb.MeasuredNetwork(fragments=pb.FragmentList(sha256=hashes))


def create(remote: Remote, network: pb.MeasuredNetwork, **told: object) -> pb.Measurement:
    settings = common_pb2.MeasurementSettings()
    settings.CopyFrom(FAST)
    settings.MergeFrom(told.pop("settings", common_pb2.MeasurementSettings()))  # type: ignore[arg-type]
    request = pb.CreateMeasurementRequest(network=network, settings=settings, **told)  # type: ignore[arg-type]
    return remote.CreateMeasurement(request).measurement
