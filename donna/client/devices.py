"""The devices that networks can be measured on, and a measurement that outlives restarts on its way.

A device is called as searches call it: by its own name, as `profiler.id`, or by its kind when any of the kind will do.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from donna.client.absent import Absent
from donna.client.artifacts import UPLOAD_DEADLINE_S, chunks
from donna.client.patience import AWAY, ENDED, Patience, check_succeeded
from donna.errors import AlreadyExists, DonnaError, FailedPrecondition, NotFound, Unavailable
from donna.v1 import common_pb2, profiler_pb2, searcher_pb2

SENDS = 3
"""A model that the profiler has lost so often will not stay there."""
UNKNOWN, MISSING = "UNKNOWN_DEVICE", "MODEL_MISSING"


class Devices:
    """Those that the searcher knows, and those of `direct` profilers that it does not; without one, the latter alone.

    `through` makes a stub of the searcher's own ProfilerService that leads to the profiler named.
    """

    def __init__(
        self,
        searcher: Any,
        through: Callable[[str], Any],
        direct: Mapping[str, Any],
        while_away: Callable[[], None],
    ) -> None:
        self._searcher, self._through, self._direct = searcher, through, direct
        self._while_away = while_away
        self._found: dict[str, searcher_pb2.SearchDevice] = {}
        self._stubs: dict[str, Any] = {}

    def searched(self) -> Sequence[searcher_pb2.SearchDevice]:
        """The devices that searches can name, as they are now, sorted by name; those of the searcher."""
        answer = self._searcher.ListSearchDevices(searcher_pb2.ListSearchDevicesRequest())
        new = {device.profiler for device in answer.search_devices} - set(self._stubs)
        self._stubs |= {name: self._through(name) for name in new}
        return answer.search_devices  # type: ignore[no-any-return]

    def list(self) -> Sequence[searcher_pb2.SearchDevice]:
        """Every device as it is now, sorted by name; one that does not answer is there too, not `reachable`."""
        known = [] if isinstance(self._searcher, Absent) else [*self.searched()]
        for name in set(self._direct) - {device.profiler for device in known}:
            known += _devices_of(name, self._direct[name])
        return sorted(known, key=lambda device: device.name)

    def find(self, name: str) -> searcher_pb2.SearchDevice:
        """The device of that name, or one of that kind that answers; the same one each time.

        Raises NotFound with what there is, or Unavailable while the device does not answer.
        """
        if name not in self._found:
            self._found[name] = choose(name, self.list())
        return self._found[name]

    def profiler(self, device: searcher_pb2.SearchDevice) -> Any:
        """A stub that leads to the profiler of a device that was listed."""
        return self._stubs.get(device.profiler) or self._direct[device.profiler]

    def check(self, device: str, onnx: bytes, settings: common_pb2.MeasurementSettings) -> None:
        """Raises InvalidArgument for settings that the device does not have; nothing is measured."""
        found = self.find(device)
        profiler, sha256 = self.profiler(found), hashlib.sha256(onnx).hexdigest()
        _send(profiler, onnx, sha256)
        profiler.CreateMeasurement(
            profiler_pb2.CreateMeasurementRequest(
                device=found.device,
                network=profiler_pb2.MeasuredNetwork(model_sha256=sha256),
                settings=settings,
                validate_only=True,
            )
        )

    def measure(
        self,
        device: str,
        onnx: bytes,
        settings: common_pb2.MeasurementSettings | None = None,
        *,
        skip_cache: bool = False,
        on_change: Callable[[profiler_pb2.Measurement], None] = lambda measurement: None,
    ) -> profiler_pb2.MeasurementResult:
        """Measures an ONNX model and returns the figures. Raises JobFailed with the device's reason.

        A profiler, or a searcher before it, that is restarted meanwhile is waited for, and what it lost is sent again.
        """
        sha256 = hashlib.sha256(onnx).hexdigest()
        request = profiler_pb2.CreateMeasurementRequest(
            network=profiler_pb2.MeasuredNetwork(model_sha256=sha256),
            settings=settings,
            skip_cache=skip_cache,
        )
        for more in reversed(range(SENDS)):
            try:
                ended = self._measured(device, onnx, sha256, request, on_change)
            except (FailedPrecondition, NotFound) as error:
                if not more or error.reason not in (MISSING, NotFound.default_reason):
                    raise
                continue
            if ended.job.error.reason == MISSING and more:
                continue
            break
        check_succeeded(ended.name, ended.job)
        return ended.result

    def _measured(
        self,
        device: str,
        onnx: bytes,
        sha256: str,
        request: profiler_pb2.CreateMeasurementRequest,
        on_change: Callable[[profiler_pb2.Measurement], None],
    ) -> profiler_pb2.Measurement:
        """The measurement when it has ended, begun once however often it is asked for on a bad line."""
        patience, unique = Patience(self._while_away), uuid.uuid4().hex
        while True:
            try:
                found = self.find(device)
                profiler = self.profiler(found)
                _send(profiler, onnx, sha256)
                request.device = found.device
                request.request_id = f"{unique}-{found.device.rpartition('/')[2]}"
                measurement = profiler.CreateMeasurement(request).measurement
                watched = profiler_pb2.WatchMeasurementRequest(name=measurement.name)
                for response in profiler.WatchMeasurement(watched):
                    patience.heard()
                    measurement = response.measurement
                    on_change(measurement)
                if measurement.job.state in ENDED:
                    return measurement  # type: ignore[no-any-return]
            except AlreadyExists:
                unique = uuid.uuid4().hex  # the device has changed since: for it, this is another request
            except AWAY as error:
                self._found.pop(device, None)  # when it is back it may be somewhere else
                patience.wait(error)


def choose(name: str, known: Sequence[searcher_pb2.SearchDevice]) -> searcher_pb2.SearchDevice:
    """The device that a name stands for, of those that are known. Raises NotFound or Unavailable."""
    own = [d for d in known if d.device and name in (d.name, f"{d.profiler}.{d.device.rpartition('/')[2]}")]
    named = own or [d for d in known if d.kind == name and name]
    ready = [device for device in named if device.reachable]
    if ready:
        return ready[0]
    silent = [d for d in known if not d.device and d.profiler == name.partition(".")[0]]
    if away := [*named, *silent]:
        raise Unavailable(f"device {name} cannot be measured on: {away[0].description}", reason="DEVICE_AWAY")
    listed = ", ".join(names(known)) or "none"
    raise NotFound(f"device {name!r} is not known; known are {listed}", reason=UNKNOWN)


def names(known: Sequence[searcher_pb2.SearchDevice]) -> list[str]:
    """What devices can be called: their names, and the kinds that are no name."""
    own = [device.name for device in known]
    return [*own, *sorted({device.kind for device in known if device.kind} - set(own))]


def _devices_of(name: str, profiler: Any) -> list[searcher_pb2.SearchDevice]:
    """The devices of a profiler that is spoken to directly; a silent one is a device too."""
    try:
        request = profiler_pb2.ListDevicesRequest(page_size=1000)
        found = profiler.ListDevices(request, deadline_s=10.0).devices
    except DonnaError as error:
        return [searcher_pb2.SearchDevice(name=name, profiler=name, description=error.message)]
    return [
        searcher_pb2.SearchDevice(
            name=name if len(found) == 1 else f"{name}.{device.name.rpartition('/')[2]}",
            kind=device.kind,
            reachable=device.available,
            description=device.description if device.available else device.unavailable_reason,
            queue_length=device.queue_length,
            backend=device.backend,
            canary_drift=device.canary_drift,
            canary_ms=device.canary_ms,
            canary_time=device.canary_time if device.canary_ms else None,
            profiler=name,
            device=device.name,
        )
        for device in found
    ]


def _send(profiler: Any, onnx: bytes, sha256: str) -> None:
    """Sends a model from where an earlier try ended, unless the profiler has it."""
    missing = profiler.FindMissingModels(profiler_pb2.FindMissingModelsRequest(sha256=[sha256]))
    if missing.missing_sha256:
        start = missing.partial_bytes.get(sha256, 0)
        sent = (profiler_pb2.UploadModelRequest(chunk=chunk) for chunk in chunks(onnx, sha256, start))
        profiler.UploadModel(sent, deadline_s=UPLOAD_DEADLINE_S)
