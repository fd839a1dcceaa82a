"""A predictor and profilers that speak the real protocol over real sockets, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from grpc_status import rpc_status
from onnx import ModelProto

from donna.errors import DonnaError
from donna.rpc.status import to_status
from donna.space import Library
from donna.v1 import common_pb2, predictor_pb2, predictor_pb2_grpc, profiler_pb2, profiler_pb2_grpc
from services.predictor.messages import tables_message
from tests.unit.searcher.libraries import true_latency_ms, true_tables

QUEUED, SUCCEEDED, RUNNING, FAILED = (
    common_pb2.JOB_STATE_QUEUED,
    common_pb2.JOB_STATE_SUCCEEDED,
    common_pb2.JOB_STATE_RUNNING,
    common_pb2.JOB_STATE_FAILED,
)


class FakePredictor(predictor_pb2_grpc.PredictorServiceServicer):
    """Predicts `true_accuracy`; `calls` counts. While `hangs` is set it answers nothing."""

    def __init__(self, library: Library, *, second_order: bool = True) -> None:
        self.library, self.second_order, self.calls = library, second_order, 0
        self.hangs = threading.Event()

    def GetPredictorTables(self, request: Any, context: Any) -> predictor_pb2.GetPredictorTablesResponse:
        self.calls += 1
        while self.hangs.is_set() and context.is_active():
            time.sleep(0.02)
        if request.predictor != "predictors/p1":
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.predictor} does not exist")
        tables = true_tables(self.library, second_order=self.second_order)
        return predictor_pb2.GetPredictorTablesResponse(tables=tables_message(tables))


class FakeProfiler(profiler_pb2_grpc.ProfilerServiceServicer):
    """Measures `true_latency_ms`. `script(choices, attempt)` may return a word: a failure reason, UNSTABLE, HANG,
    QUEUE (until `queue_length` is 0), AWAY or "" for a plain success; or what the call ends with: a status of the
    connection, or an error. A measurement takes `pause_s` to create, and runs for `runs_s` after that."""

    def __init__(
        self,
        library: Library,
        *,
        script: Callable[[tuple[int, ...], int], Any] = lambda choices, attempt: "",
        noise: float = 0.0,
        factor: float = 1.0,
        devices: tuple[str, ...] = ("cpu",),
        kind: str = "cpu-2c",
        pause_s: float = 0.0,
        offset_ms: float = 0.0,
        runs_s: float = 0.0,
        system: str = "",
    ) -> None:
        self.library, self.script, self.noise, self.factor = library, script, noise, factor
        self.devices, self.kind, self.pause_s, self.runs_s = devices, kind, pause_s, runs_s
        self._running: dict[str, tuple[float, profiler_pb2.Measurement]] = {}
        self.offset_ms, self.away, self.queue_length, self.system = offset_ms, False, 0, system
        self.models: dict[str, ModelProto] = {}
        self.uploads: Counter[str] = Counter()
        self.measured: Counter[tuple[int, ...]] = Counter()
        self.skipped_cache: Counter[tuple[int, ...]] = Counter()
        self.at_once = self.most_at_once = 0
        self.cancelled: list[str] = []
        self._lock = threading.Lock()
        self._by_request: dict[str, profiler_pb2.Measurement] = {}
        self._measurements: dict[str, profiler_pb2.Measurement] = {}
        self._attempts: Counter[tuple[int, ...]] = Counter()
        self.request_ids: dict[tuple[int, ...], set[str]] = {}

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.kind} {self.system}".encode()).hexdigest()

    def ListDevices(self, request: Any, context: Any) -> profiler_pb2.ListDevicesResponse:
        return profiler_pb2.ListDevicesResponse(
            devices=[
                profiler_pb2.Device(
                    name=f"devices/{device}",
                    kind=self.kind,
                    available=not self.away,
                    unavailable_reason="it is unplugged" if self.away else "",
                    description=f"fake {device}",
                    fingerprint_sha256=self.fingerprint,
                )
                for device in self.devices
            ]
        )

    def GetDevice(self, request: Any, context: Any) -> profiler_pb2.GetDeviceResponse:
        device = profiler_pb2.Device(
            name=request.name, available=not self.away, queue_length=self.queue_length
        )
        return profiler_pb2.GetDeviceResponse(device=device)

    def FindMissingModels(self, request: Any, context: Any) -> profiler_pb2.FindMissingModelsResponse:
        return profiler_pb2.FindMissingModelsResponse(
            missing_sha256=[sha256 for sha256 in request.sha256 if sha256 not in self.models]
        )

    def UploadModel(self, requests: Iterator[Any], context: Any) -> profiler_pb2.UploadModelResponse:
        data = b"".join(request.chunk.data for request in requests)
        sha256 = hashlib.sha256(data).hexdigest()
        self.models[sha256] = ModelProto.FromString(data)
        self.uploads[sha256] += 1
        return profiler_pb2.UploadModelResponse(sha256=sha256, size_bytes=len(data))

    def CreateMeasurement(self, request: Any, context: Any) -> profiler_pb2.CreateMeasurementResponse:
        fragments = list(request.network.fragments.sha256)
        assert set(fragments) <= set(self.models), "a fragment was not sent"
        if request.request_id in self._by_request:
            return profiler_pb2.CreateMeasurementResponse(measurement=self._by_request[request.request_id])
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            time.sleep(self.pause_s)
            # Fragments of libraries.py are called "block <n> option <m>".
            names = [self.models[sha256].graph.name for sha256 in fragments[1:-1]]
            choices = tuple(int(name.rpartition(" ")[2]) for name in names)
            self._attempts[choices] += 1
            self.request_ids.setdefault(choices, set()).add(request.request_id)
            word = self.script(choices, self._attempts[choices])
            if isinstance(word, grpc.StatusCode):
                context.abort(word, "the line broke")
            if isinstance(word, DonnaError):
                context.abort_with_status(rpc_status.to_status(to_status(word)))
            self.away = word == "AWAY"
            if self.away:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the phone was unplugged")
            measurement = self._measure(choices, word, skip_cache=request.skip_cache)
        finally:
            with self._lock:
                self.at_once -= 1
        self._by_request[request.request_id] = self._measurements[measurement.name] = measurement
        return profiler_pb2.CreateMeasurementResponse(measurement=measurement)

    def true_ms(self, choices: tuple[int, ...]) -> float:
        """Without noise."""
        return float(true_latency_ms(self.library, np.array([choices]))[0]) * self.factor + self.offset_ms

    def _measure(self, choices: tuple[int, ...], word: str, *, skip_cache: bool) -> profiler_pb2.Measurement:
        name = f"measurements/m{len(self._measurements)}"
        if word in ("HANG", "QUEUE"):
            return profiler_pb2.Measurement(
                name=name, job=common_pb2.Job(state=RUNNING if word == "HANG" else QUEUED)
            )
        if word == "MODEL_MISSING":
            self.models.clear()
        if word not in ("", "UNSTABLE"):
            error = common_pb2.Error(reason=word, message=f"it said {word}")
            return profiler_pb2.Measurement(name=name, job=common_pb2.Job(state=FAILED, error=error))
        self.measured[choices] += 1
        self.skipped_cache[choices] += skip_cache
        plain = self.true_ms(choices)
        g = np.random.default_rng([*choices, self.measured[choices]])
        latency_ms = plain * (1.0 + self.noise * g.standard_normal())
        ended = profiler_pb2.Measurement(
            name=name,
            job=common_pb2.Job(state=SUCCEEDED),
            result=profiler_pb2.MeasurementResult(
                median_ms=2 * latency_ms,  # of a device that is half as fast as it was at first
                steady_ms=latency_ms,
                median_low_ms=latency_ms * 0.999,
                median_high_ms=latency_ms * 1.001,
                unstable=word == "UNSTABLE",
                fingerprint_sha256=self.fingerprint,
            ),
        )
        if not self.runs_s:
            return ended
        self._running[name] = time.monotonic() + self.runs_s, ended
        return profiler_pb2.Measurement(name=name, job=common_pb2.Job(state=RUNNING))

    def _now(self, name: str) -> profiler_pb2.Measurement:
        """A measurement as it stands."""
        ends_at, ended = self._running.get(name, (0.0, None))
        if ended is not None and time.monotonic() > ends_at:
            self._measurements[name].CopyFrom(ended)
        return self._measurements[name]

    def GetMeasurement(self, request: Any, context: Any) -> profiler_pb2.GetMeasurementResponse:
        return profiler_pb2.GetMeasurementResponse(measurement=self._now(request.name))

    def CancelMeasurement(self, request: Any, context: Any) -> profiler_pb2.CancelMeasurementResponse:
        self.cancelled.append(request.name)
        return profiler_pb2.CancelMeasurementResponse(measurement=self._measurements[request.name])

    def WatchMeasurement(self, request: Any, context: Any) -> Iterator[Any]:
        measurement = self._now(request.name)
        if measurement.job.state == QUEUED and not self.queue_length:
            measurement.job.state = FAILED
            measurement.job.error.reason = "CANCELLED"
        yield profiler_pb2.WatchMeasurementResponse(measurement=measurement)
        while context.is_active() and self._now(request.name).job.state in (RUNNING, QUEUED):
            time.sleep(0.005)
        yield profiler_pb2.WatchMeasurementResponse(measurement=self._now(request.name))


class Fake:
    """A servicer on a loopback port; `stop` and `start` let it die and come back on the same port."""

    def __init__(self, servicer: Any) -> None:
        self.servicer = servicer
        self._port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(16), options=(("grpc.so_reuseport", 0),))
        if isinstance(self.servicer, FakePredictor):
            predictor_pb2_grpc.add_PredictorServiceServicer_to_server(self.servicer, self._server)
        else:
            profiler_pb2_grpc.add_ProfilerServiceServicer_to_server(self.servicer, self._server)
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self._server.start()
        self.running = True

    def stop(self) -> None:
        self.running = False
        self._server.stop(0).wait()
