"""One network measured on one device: fragments sent where they lack, the measurement made and awaited."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from google.protobuf import json_format

from donna.errors import Cancelled, DeadlineExceeded, DonnaError, FailedPrecondition, NotFound, Unavailable
from donna.rpc.channel import Remote
from donna.v1 import common_pb2, profiler_pb2
from services.searcher.profilers import Site
from services.searcher.weightless import Bare, Weightless

CHUNK = 1 << 20
SLICE_S = 2.0
"""A watch is renewed this often, so that a cancelled search does not wait for a measurement."""

NOT_RUNNABLE = ("UNSUPPORTED_OP", "OUT_OF_MEMORY", "INVALID_MODEL", "UNMEASURABLE")
"""Reasons that stay true however often a network is tried on a device with the same settings."""

UNSTABLE = "UNSTABLE"
"""The note of a latency that did not settle."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A latency, or why there is none. `medians_ms` holds the raw median of every measurement made.

    `note` is "" for a settled latency, UNSTABLE for one that did not settle, else the reason of the failure.
    `job` is the search that measured it.
    """

    latency_ms: float | None
    medians_ms: tuple[float, ...] = ()
    low_ms: float = 0.0
    high_ms: float = 0.0
    note: str = ""
    message: str = ""
    site: str = ""
    fingerprint: str = ""
    cached: bool = False
    device_s: float = 0.0
    job: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"medians_ms": list(self.medians_ms)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Record:
        """The inverse of `to_dict`."""
        return cls(**{**values, "medians_ms": tuple(values["medians_ms"])})


class MeasurementFailed(Exception):
    """The device answered, and the network did not get through; `reason` is the profiler's word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(kw_only=True)
class Bench:
    """A site ready to measure; `known` are the hashes of what it has for sure.

    Blocks travel, not networks, and without their weights: latency does not depend on them, and they are nearly
    all bytes of a block. Answers are brief for the same reason.
    """

    site: Site
    remote: Remote
    fragments: Weightless
    settings: dict[str, Any]
    deadline_s: float
    stopping: threading.Event
    known: set[str] = field(default_factory=set)

    def available(self) -> bool:
        """Whether the device could be measured on now. Raises Unavailable when its profiler is away."""
        request = profiler_pb2.GetDeviceRequest(name=self.site.device)
        return self.remote.GetDevice(request).device.available

    def measure(self, fragments: Sequence[str], *, request_id: str, skip_cache: bool) -> Record:
        """Measures the network of these fragments of a library.

        Raises Unavailable when the device or its profiler is away, MeasurementFailed when this network failed,
        Cancelled when told to stop, and any other DonnaError for a request that no retry will mend.
        """
        started = time.monotonic()
        network = [self.fragments.fragment(sha256) for sha256 in fragments]
        try:
            try:
                self._send(network)
                measurement = self._create(network, request_id, skip_cache)
            except FailedPrecondition as error:
                if error.reason != "MODEL_MISSING":
                    raise _lost(f"{self.site.name} cannot measure: {error.message}") from error
                # The profiler came back without its store: send everything once more.
                self.known.clear()
                self._send(network)
                measurement = self._create(network, request_id, skip_cache)
            measurement = self._await(measurement)
        except NotFound as error:
            raise _lost(f"{self.site.name} is gone: {error.message}") from error
        except DeadlineExceeded as error:
            raise Unavailable(f"{self.site.name} does not answer: {error.message}") from error
        return self._record(measurement, time.monotonic() - started)

    def _create(self, network: Sequence[Bare], request_id: str, skip_cache: bool) -> profiler_pb2.Measurement:
        hashes = profiler_pb2.FragmentList(sha256=[fragment.sha256 for fragment in network])
        request = profiler_pb2.CreateMeasurementRequest(
            device=self.site.device,
            network=profiler_pb2.MeasuredNetwork(fragments=hashes),
            settings=json_format.ParseDict(self.settings, common_pb2.MeasurementSettings()),
            request_id=request_id,
            skip_cache=skip_cache,
            brief=True,
        )
        return self.remote.CreateMeasurement(request).measurement

    def _send(self, network: Sequence[Bare]) -> None:
        unknown = {part.sha256: part.data for part in network if part.sha256 not in self.known}
        if not unknown:
            return
        answer = self.remote.FindMissingModels(profiler_pb2.FindMissingModelsRequest(sha256=list(unknown)))
        for sha256 in answer.missing_sha256:
            offset = answer.partial_bytes.get(sha256, 0)
            self.remote.UploadModel(_pieces(sha256, unknown[sha256], offset))
        self.known.update(unknown)

    def _await(self, measurement: profiler_pb2.Measurement) -> profiler_pb2.Measurement:
        """Watches until the end. The deadline counts while it runs; queueing behind others is no fault."""
        running_since: float | None = None
        slice_s = min(SLICE_S, self.deadline_s)
        while not _ended(measurement):
            if self.stopping.is_set():
                self._give_up(measurement)
                raise Cancelled("the search is stopping")
            try:
                watch = profiler_pb2.WatchMeasurementRequest(name=measurement.name, brief=True)
                for response in self.remote.WatchMeasurement(watch, deadline_s=slice_s):
                    measurement = response.measurement
                    if _ended(measurement):
                        return measurement
            except DeadlineExceeded:
                # Only this slice is over. A profiler that hangs does not answer this either.
                get = profiler_pb2.GetMeasurementRequest(name=measurement.name, brief=True)
                measurement = self.remote.GetMeasurement(get).measurement
            if measurement.job.state == common_pb2.JOB_STATE_WAITING:
                self._give_up(measurement)
                raise _lost(f"{self.site.name} is waiting for {measurement.job.waiting_for}")
            if measurement.job.state == common_pb2.JOB_STATE_RUNNING:
                running_since = running_since or time.monotonic()
                if time.monotonic() - running_since > self.deadline_s:
                    self._give_up(measurement)
                    raise MeasurementFailed("TIMEOUT", f"no result within {self.deadline_s:g} s")
        return measurement

    def _give_up(self, measurement: profiler_pb2.Measurement) -> None:
        try:
            self.remote.CancelMeasurement(profiler_pb2.CancelMeasurementRequest(name=measurement.name))
        except DonnaError:
            pass  # it ended, or its profiler is away: nothing is left to cancel

    def _record(self, measurement: profiler_pb2.Measurement, spent_s: float) -> Record:
        job, result = measurement.job, measurement.result
        if job.state == common_pb2.JOB_STATE_SUCCEEDED:
            return Record(
                latency_ms=result.median_ms,
                medians_ms=(result.median_ms,),
                low_ms=result.median_low_ms,
                high_ms=result.median_high_ms,
                note=UNSTABLE if result.unstable else "",
                site=self.site.name,
                fingerprint=result.fingerprint_sha256 or self.site.fingerprint,
                cached=measurement.cached,
                device_s=0.0 if measurement.cached else job.cost.device_s or spent_s,
            )
        if job.error.reason in ("DEVICE_LOST", "DEVICE_CHANGED"):
            raise _lost(f"{self.site.name} was lost: {job.error.message}")
        if job.state == common_pb2.JOB_STATE_CANCELLED:
            # Most likely by this search, when it was stopped: that is no fault of the network.
            raise _lost(f"{measurement.name} was cancelled")
        raise MeasurementFailed(job.error.reason, job.error.message)


def _pieces(sha256: str, data: bytes, offset: int) -> Iterator[profiler_pb2.UploadModelRequest]:
    for start in range(offset, len(data), CHUNK):
        chunk = common_pb2.Chunk(
            sha256=sha256, offset=start, total_bytes=len(data), data=data[start : start + CHUNK]
        )
        yield profiler_pb2.UploadModelRequest(chunk=chunk)


def _lost(message: str) -> Unavailable:
    """The device is away, and this measurement is over: the next attempt needs a new request_id."""
    return Unavailable(message, reason="DEVICE_LOST")


def _ended(measurement: profiler_pb2.Measurement) -> bool:
    return measurement.job.state in (
        common_pb2.JOB_STATE_SUCCEEDED,
        common_pb2.JOB_STATE_FAILED,
        common_pb2.JOB_STATE_CANCELLED,
    )
