"""One network measured on one device: fragments sent where they lack, the measurement made and awaited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format

from donna.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    DonnaError,
    FailedPrecondition,
    Internal,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from donna.rpc.channel import Remote
from donna.rpc.status import BROKEN
from donna.v1 import common_pb2, profiler_pb2
from services.searcher.measurement import UNSTABLE, MeasurementEnded, Record
from services.searcher.profilers import Site
from services.searcher.weightless import Bare, Weightless

CHUNK = 1 << 20
SLICE_S = 2.0
"""A watch is renewed this often, so that a cancelled search does not wait for a measurement."""
QUEUED_S = 5.0
"""A measurement that queues longer than this behind those of others is waited for, and the search says so."""
IS_BUSY = "is busy"
"""In the words for a device that is there and measures for others."""
AVAILABLE_S = 5.0
"""Deadline of the question whether a device is there."""


@dataclass(kw_only=True)
class Bench:
    """A site ready to measure; `known` are the hashes of what its profiler has for sure.

    `remote` gives the profiler's stub for one call: between two of them it may have moved. Blocks travel, not
    networks, and without their weights: latency does not depend on them, and they are nearly all bytes of a block.
    Answers are brief for the same reason.

    Others may look at `heard_at`, when it was last busy with something else than waiting for an answer, and
    `waits_for`, what keeps it from measuring although the device is there.
    """

    site: Site
    remote: Callable[[], Remote]
    fragments: Weightless
    settings: dict[str, Any]
    deadline_s: float
    stopping: threading.Event
    known: set[str] = field(default_factory=set)
    waits_for: str = ""
    heard_at: float = field(default_factory=time.monotonic)

    def heard(self) -> None:
        """It is alive, as whoever looks at `heard_at` can see."""
        self.heard_at = time.monotonic()

    def _ask(self, rpc: str, request: Any, deadline_s: float | None = None) -> Any:
        try:
            return getattr(self.remote(), rpc)(request, deadline_s=deadline_s)
        except ValueError as error:  # of gRPC: the channel was replaced since we took it
            raise Unavailable("the connection to it was renewed") from error
        finally:
            self.heard()

    def _device(self) -> profiler_pb2.Device:
        request = profiler_pb2.GetDeviceRequest(name=self.site.device)
        return self._ask("GetDevice", request, AVAILABLE_S).device

    def check_available(self) -> None:
        """Raises a DonnaError that says why the device cannot be measured on now."""
        device = self._device()
        if not device.available:
            raise Unavailable(device.unavailable_reason or "it does not say why")

    def measure(self, fragments: Sequence[str], *, request_id: str, skip_cache: bool) -> Record:
        """Measures the network of these fragments of a library.

        Raises MeasurementEnded when this measurement is over without a latency, Unavailable when nobody answers now
        (it may be going on: ask again by the same request_id), Cancelled when told to stop, and any other DonnaError
        for a request that no retry will mend.
        """
        started = time.monotonic()
        try:
            measurement = self._await(self._ordered(fragments, request_id, skip_cache))
        except NotFound as error:
            raise MeasurementEnded("GONE", f"it is not known any more: {error.message}") from error
        except DeadlineExceeded as error:
            raise Unavailable(f"it does not answer ({error.message})") from error
        except AlreadyExists as error:
            # What the device is, is part of the request: asked again by the same id, it is another one.
            raise MeasurementEnded("DEVICE_CHANGED", error.message) from error
        except ResourceExhausted as error:
            # All else passes: a queue that is full, a disk that somebody clears.
            if error.reason == "MODEL_TOO_LARGE":
                raise
            said = f"it has no room now: {error.message}"
            raise Unavailable(said, retry_after_s=error.retry_after_s) from error
        except (Cancelled, Internal) as error:
            if self.stopping.is_set():
                raise Cancelled("measuring is stopping") from error
            if error.reason == BROKEN:
                raise Unavailable(f"the connection broke ({error.message})") from error
            raise MeasurementEnded(error.reason, error.message) from error
        finally:
            self.waits_for = ""
        return self._record(measurement, time.monotonic() - started)

    def _ordered(
        self, fragments: Sequence[str], request_id: str, skip_cache: bool
    ) -> profiler_pb2.Measurement:
        network = []
        for sha256 in fragments:
            network.append(self.fragments.fragment(sha256))
            self.heard()
        missing = ""
        for _ in range(2):
            try:
                self._send(network)
                return self._create(network, request_id, skip_cache)
            except FailedPrecondition as error:
                if error.reason != "MODEL_MISSING":
                    raise Unavailable(f"it cannot measure: {error.message}") from error
                # The profiler came back without its store: everything is sent once more.
                self.known.clear()
                missing = error.message
        raise MeasurementEnded("MODEL_MISSING", missing)

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
        return self._ask("CreateMeasurement", request).measurement

    def _send(self, network: Sequence[Bare]) -> None:
        unknown = {part.sha256: part.data for part in network if part.sha256 not in self.known}
        if not unknown:
            return
        request = profiler_pb2.FindMissingModelsRequest(sha256=list(unknown))
        answer = self._ask("FindMissingModels", request)
        for sha256 in answer.missing_sha256:
            offset = answer.partial_bytes.get(sha256, 0)
            self._ask("UploadModel", _pieces(sha256, unknown[sha256], offset))
        self.known.update(unknown)

    def _await(self, measurement: profiler_pb2.Measurement) -> profiler_pb2.Measurement:
        """Watches until the end. The deadline counts while it runs; queueing behind others is no fault."""
        running_since: float | None = None
        created = time.monotonic()
        slice_s = min(SLICE_S, self.deadline_s)
        while not _ended(measurement):
            if self.stopping.is_set():
                self._give_up(measurement)
                raise Cancelled("measuring is stopping")
            try:
                watch = profiler_pb2.WatchMeasurementRequest(name=measurement.name, brief=True)
                for response in self._ask("WatchMeasurement", watch, slice_s):
                    self.heard()
                    measurement = response.measurement
                    if _ended(measurement):
                        return measurement
            except DeadlineExceeded:
                # Only this slice is over. A profiler that hangs does not answer this either.
                get = profiler_pb2.GetMeasurementRequest(name=measurement.name, brief=True)
                measurement = self._ask("GetMeasurement", get).measurement
            state = measurement.job.state
            if state == common_pb2.JOB_STATE_WAITING:
                self._give_up(measurement)
                waits_for = measurement.job.waiting_for
                raise MeasurementEnded("DEVICE_AWAY", f"it waits for {waits_for}")
            if state == common_pb2.JOB_STATE_QUEUED and time.monotonic() - created > QUEUED_S:
                queue = self._device().queue_length
                self.waits_for = f"{self.site.name} {IS_BUSY}, {queue} measurements wait for it"
            else:
                self.waits_for = ""
            if state == common_pb2.JOB_STATE_RUNNING:
                running_since = running_since or time.monotonic()
                if time.monotonic() - running_since > self.deadline_s:
                    self._give_up(measurement)
                    raise MeasurementEnded("TIMEOUT", f"no result within {self.deadline_s:g} s")
        return measurement

    def _give_up(self, measurement: profiler_pb2.Measurement) -> None:
        try:
            self._ask("CancelMeasurement", profiler_pb2.CancelMeasurementRequest(name=measurement.name))
        except DonnaError:
            pass  # it ended, or its profiler is away: nothing is left to cancel

    def _record(self, measurement: profiler_pb2.Measurement, spent_s: float) -> Record:
        job, result = measurement.job, measurement.result
        if job.state == common_pb2.JOB_STATE_SUCCEEDED:
            pace = result.steady_ms / result.median_ms if result.median_ms else 1.0
            return Record(
                latency_ms=result.steady_ms,
                medians_ms=(result.steady_ms,),
                low_ms=result.median_low_ms * pace,
                high_ms=result.median_high_ms * pace,
                note=UNSTABLE if result.unstable else "",
                site=self.site.name,
                fingerprint=result.fingerprint_sha256 or self.site.fingerprint,
                cached=measurement.cached,
                device_s=0.0 if measurement.cached else job.cost.device_s or spent_s,
            )
        if job.state == common_pb2.JOB_STATE_CANCELLED:
            # Most likely by this search, when it was stopped.
            raise MeasurementEnded("CANCELLED", f"{measurement.name} was cancelled")
        if job.error.reason == "MODEL_MISSING":
            self.known.clear()  # evicted while the measurement queued: all is asked about again
        raise MeasurementEnded(job.error.reason, job.error.message)


def _pieces(sha256: str, data: bytes, offset: int) -> Iterator[profiler_pb2.UploadModelRequest]:
    if offset >= len(data):
        offset = 0  # it broke off after the last byte: an upload without a piece is none
    for start in range(offset, len(data), CHUNK):
        chunk = common_pb2.Chunk(
            sha256=sha256, offset=start, total_bytes=len(data), data=data[start : start + CHUNK]
        )
        yield profiler_pb2.UploadModelRequest(chunk=chunk)


def _ended(measurement: profiler_pb2.Measurement) -> bool:
    return measurement.job.state in (
        common_pb2.JOB_STATE_SUCCEEDED,
        common_pb2.JOB_STATE_FAILED,
        common_pb2.JOB_STATE_CANCELLED,
    )
