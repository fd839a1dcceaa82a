"""The five services under load: what is called of each, and the job that is watched.

Calls are lists, reads, reads of what does not exist, requests that are refused, orders that are accepted (again the
same, by their request_id), predictions, and files of 64 KiB up and down.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import onnx
from sqlalchemy import text

from bench.load.seen import Seen
from bench.predict import library
from donna.client import KINDS, Client
from donna.jobs import JobStore
from donna.jobs.database import open_database
from donna.rpc.messages import dict_to_struct
from donna.v1 import (
    artifacts_pb2,
    common_pb2,
    distiller_pb2,
    finetuner_pb2,
    predictor_pb2,
    profiler_pb2,
    searcher_pb2,
)

ASLEEP_S = 600.0
"""Renewed at each tick; the store takes much longer for a clock that was set back."""
DEADLINE_S = 30.0
FILE_BYTES, PIECE_BYTES = 64 << 10, 16 << 10
REFERENCE = common_pb2.Reference(
    provider="small_cnn",
    arguments=dict_to_struct({"in_channels": 1, "num_classes": 10, "widths": [8, 8, 8, 8]}),
)
DATASET = common_pb2.Dataset(
    provider="digits", split=common_pb2.DatasetSplit(training=400, quality=100, validation=100, test=100)
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a client, which has a number, does. `expects` is the status that it asks for, `weight` how often it is
    drawn."""

    name: str
    send: Callable[[grpc.aio.Channel, int], Awaitable[object]]
    expects: str = "OK"
    weight: float = 1.0


@dataclass(kw_only=True)
class Target:
    """One service under load."""

    service: str
    address: str
    calls: Sequence[Call]
    watch: tuple[str, Any]
    store: JobStore
    job: str
    order: Callable[[int], object]
    """Orders a small job that is new, of whatever seed it is given: work for the workers."""
    seen: Seen = field(default_factory=Seen)

    def tick(self) -> None:
        """Changes the watched job, as progress does, and keeps its task asleep."""
        told = {"job": self.job, "at": time.time() + ASLEEP_S}
        with self.store.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET revision = revision + 1 WHERE name = :job"), told)
            connection.execute(text("UPDATE tasks SET not_before = :at WHERE job = :job"), told)


def unary(rpc: str, request: Any, *, expects: str = "OK", weight: float = 1.0) -> Call:
    """A call with one request and one answer."""

    def send(channel: grpc.aio.Channel, _client: int) -> Awaitable[object]:
        method = channel.unary_unary(rpc, request_serializer=lambda m: m.SerializeToString())
        return method(request, timeout=DEADLINE_S)  # type: ignore[no-any-return]

    return Call(name=rpc.rpartition("/")[2], send=send, expects=expects, weight=weight)


def upload(service: str, method: str, request: Callable[..., Any], file: Callable[[int], bytes]) -> Call:
    """A file in pieces, `file` of the client's number, again and again."""

    async def pieces(client: int) -> AsyncIterator[Any]:
        data = file(client)
        sha256 = hashlib.sha256(data).hexdigest()
        for offset in range(0, len(data), PIECE_BYTES):
            piece = data[offset : offset + PIECE_BYTES]
            yield request(
                chunk=common_pb2.Chunk(sha256=sha256, total_bytes=len(data), offset=offset, data=piece)
            )

    def send(channel: grpc.aio.Channel, client: int) -> Awaitable[object]:
        called = channel.stream_unary(
            f"/donna.v1.{service}/{method}", request_serializer=lambda m: m.SerializeToString()
        )
        return called(pieces(client), timeout=DEADLINE_S)  # type: ignore[no-any-return]

    return Call(name=method, send=send)


def download(sha256: str) -> Call:
    """A file, whole."""
    request = artifacts_pb2.DownloadArtifactRequest(sha256=sha256)

    async def send(channel: grpc.aio.Channel, _client: int) -> int:
        method = channel.unary_stream(
            "/donna.v1.ArtifactService/DownloadArtifact",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=artifacts_pb2.DownloadArtifactResponse.FromString,
        )
        pieces = [len(answer.chunk.data) async for answer in method(request, timeout=DEADLINE_S)]
        assert sum(pieces) == FILE_BYTES
        return FILE_BYTES

    return Call(name="DownloadArtifact", send=send)


def relu(number: int) -> bytes:
    """A model of one node, another for each number."""
    values = [onnx.helper.make_tensor_value_info(name, 1, ["N", 4]) for name in "xy"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], f"relu{number}", values[:1], values[1:]
    )
    opset = onnx.helper.make_opsetid("", 18)
    return bytes(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString())


def samples(seed: int) -> list[predictor_pb2.AccuracySample]:
    """Twelve networks of the library with drawn accuracies."""
    draw = random.Random(seed)  # noqa: S311 - draws load, guards nothing
    return [
        predictor_pb2.AccuracySample(
            architecture=common_pb2.Architecture(choices=[i % 4, i // 4, 0]),
            accuracy=0.5 + i / 40 + draw.uniform(0, 0.01),
        )
        for i in range(12)
    ]


def specs(manifest: common_pb2.Artifact, seed: int) -> dict[str, Any]:
    """A small job of each service; with another seed it is another job."""
    return {
        "distiller": distiller_pb2.BlockLibrarySpec(
            reference=REFERENCE,
            dataset=DATASET,
            blocks=[distiller_pb2.BlockSpace(name="stage2", options=["reference()", "skip()"])],
            recipe=distiller_pb2.DistillationRecipe(epochs=1, seed=seed),
        ),
        "finetuner": finetuner_pb2.FinetuneSpec(
            reference=REFERENCE,
            dataset=DATASET,
            networks=[finetuner_pb2.Network(reference=True)],
            recipe=finetuner_pb2.FinetuneRecipe(epochs=1, seed=seed),
        ),
        "predictor": predictor_pb2.PredictorSpec(library=manifest, samples=samples(seed), seed=seed),
        "searcher": searcher_pb2.SearchSpec(
            library=manifest,
            objectives=[
                searcher_pb2.Objective(metric=common_pb2.METRIC_MACS),
                searcher_pb2.Objective(metric=common_pb2.METRIC_PARAMETERS),
            ],
            population=4,
            generations=1,
            seed=seed,
        ),
    }


def targets(client: Client, state: Path) -> list[Target]:
    """The five services, each with a job that waits for ever."""
    manifest = client.upload(library(3, 4).to_json())
    file = random.Random(0).randbytes(FILE_BYTES)  # noqa: S311 - any bytes do
    stored = client.upload(file)
    files = [
        upload("ArtifactService", "UploadArtifact", artifacts_pb2.UploadArtifactRequest, lambda _: file),
        download(stored.sha256),
    ]
    predictor = client.wait(client.create(specs(manifest, 0)["predictor"])).name
    matrix = common_pb2.ArchitectureMatrix(
        num_architectures=64, num_blocks=3, choices=bytes(i % 4 for i in range(192)), bytes_per_choice=1
    )
    predict = predictor_pb2.PredictRequest(predictor=predictor, architectures=matrix, library=manifest)
    found = []
    for collection, kind in KINDS.items():
        spec = specs(manifest, 1)[kind.service]
        name = client.create(spec, request_id="load").name
        stem = f"/donna.v1.{kind.service.capitalize()}Service"
        request = {
            verb: getattr(kind.messages, f"{verb}{kind.resource}Request")
            for verb in ("Get", "Watch", "Create")
        }
        page = getattr(kind.messages, f"List{kind.plural}Request")(page_size=10)
        get, create = f"{stem}/Get{kind.resource}", f"{stem}/Create{kind.resource}"
        calls = [
            unary(f"{stem}/List{kind.plural}", page),
            unary(get, request["Get"](name=name)),
            unary(get, request["Get"](name=f"{collection}/0"), expects="NOT_FOUND"),
            unary(create, request["Create"](), expects="INVALID_ARGUMENT"),
            unary(create, request["Create"](spec=spec, request_id="load"), weight=0.2),
            *files,
        ]
        if kind.service == "predictor":
            calls.append(unary(f"{stem}/Predict", predict))
        watch = (f"{stem}/Watch{kind.resource}", request["Watch"](name=name))

        def order(seed: int, service: str = kind.service) -> object:
            return client.create(specs(manifest, seed)[service])

        address = getattr(client.endpoints, kind.service)
        found.append(_asleep(state, kind.service, address, calls, watch, name, order))
    return [*found, _profiler(client, state, manifest)]


def _profiler(client: Client, state: Path, manifest: common_pb2.Artifact) -> Target:
    stem, model = "/donna.v1.ProfilerService", relu(0)
    client.devices.measure("local", model)
    remote = client.devices.profiler(client.devices.find("local"))
    network = profiler_pb2.MeasuredNetwork(model_sha256=hashlib.sha256(model).hexdigest())
    measurement = profiler_pb2.CreateMeasurementRequest(network=network, request_id="load")
    name = remote.CreateMeasurement(measurement).measurement.name
    calls = [
        unary(f"{stem}/ListDevices", profiler_pb2.ListDevicesRequest()),
        unary(f"{stem}/ListMeasurements", profiler_pb2.ListMeasurementsRequest(page_size=10)),
        unary(f"{stem}/GetMeasurement", profiler_pb2.GetMeasurementRequest(name=name)),
        unary(f"{stem}/FindMissingModels", profiler_pb2.FindMissingModelsRequest(sha256=[manifest.sha256])),
        unary(
            f"{stem}/CreateMeasurement", profiler_pb2.CreateMeasurementRequest(), expects="INVALID_ARGUMENT"
        ),
        unary(f"{stem}/CreateMeasurement", measurement, weight=0.2),
        upload("ProfilerService", "UploadModel", profiler_pb2.UploadModelRequest, relu),
    ]
    watch = (f"{stem}/WatchMeasurement", profiler_pb2.WatchMeasurementRequest(name=name))

    def order(seed: int) -> object:
        again = profiler_pb2.CreateMeasurementRequest(network=network, skip_cache=True)
        return remote.CreateMeasurement(again)

    address = client.endpoints.profilers["local"]
    return _asleep(state, "profiler", address, calls, watch, name, order)


def _asleep(
    state: Path,
    service: str,
    address: str,
    calls: Sequence[Call],
    watch: tuple[str, Any],
    name: str,
    order: Callable[[int], object],
) -> Target:
    """Puts the job back, or to sleep, so that it can be watched for as long as the load lasts."""
    store = JobStore(open_database(f"sqlite:///{state / service}.db"))
    late = {"job": name, "at": time.time() + ASLEEP_S}
    with store.engine.begin() as connection:
        for table, values in (
            ("tasks", "state = 'QUEUED', fence = fence + 1, not_before = :at WHERE job = :job"),
            ("jobs", "state = 'QUEUED', ended_at = NULL WHERE name = :job AND :at > 0"),
        ):
            connection.execute(text(f"UPDATE {table} SET {values}"), late)  # noqa: S608 - words of this file
    return Target(
        service=service, address=address, calls=calls, watch=watch, store=store, job=name, order=order
    )
