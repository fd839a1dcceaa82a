"""All five services with their real servicers and stores behind one server on loopback, and something in each."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from donna.artifacts import ArtifactStore
from donna.rpc.artifact_servicer import artifact_endpoint
from donna.rpc.channel import open_channel
from donna.rpc.messages import artifact_message, dict_to_struct
from donna.service import Parts, open_stores
from donna.v1 import (
    artifacts_pb2,
    common_pb2,
    distiller_pb2,
    finetuner_pb2,
    hub_pb2,
    predictor_pb2,
    profiler_pb2,
    searcher_pb2,
)
from services.distiller.__main__ import build as distiller
from services.distiller.settings import DistillerSettings
from services.finetuner.__main__ import build as finetuner
from services.finetuner.settings import FinetunerSettings
from services.predictor.__main__ import build as predictor
from services.predictor.settings import PredictorSettings
from services.profiler.__main__ import build as profiler
from services.profiler.settings import ProfilerSettings
from services.searcher.__main__ import build as searcher
from services.searcher.settings import SearcherSettings
from tests.unit.graphs.fragments import conv
from tests.unit.rpc.serving import serving
from tests.unit.searcher.libraries import build_library

FILES = (artifacts_pb2, distiller_pb2, finetuner_pb2, hub_pb2, predictor_pb2, profiler_pb2, searcher_pb2)
RPCS = {
    f"/{service.full_name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
REFERENCE = {"in_channels": 1, "num_classes": 10, "widths": [8, 8, 8, 8]}
SPLIT = {"training": 128, "quality": 40, "validation": 40, "test": 40}
OPTION = (
    "inverted_residual(activation=relu,attention=none,convolution=depthwise,depth=1,expansion=1,kernel=3)"
)


class Served:
    """`valid` has requests that each rpc accepts: a list for an rpc, or a list of lists where requests stream."""

    def __init__(self, channel: grpc.Channel, parts: Mapping[str, Parts], artifacts: ArtifactStore) -> None:
        self.channel, self.parts, self.artifacts = channel, parts, artifacts
        self.valid: dict[str, list[Any]] = {}

    def call(self, rpc: str, requests: Sequence[Any], *, deadline_s: float = 30.0) -> list[Message]:
        """Every answer of one call; requests may be bytes. Raises grpc.RpcError."""
        method = RPCS[rpc]
        kind = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, False): self.channel.stream_unary,
            (True, True): self.channel.stream_stream,
        }[method.client_streaming, method.server_streaming]
        called = kind(
            rpc,
            request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(),
            response_deserializer=method.output_type._concrete_class.FromString,
        )
        given = iter(requests) if method.client_streaming else requests[0]
        answer = called(given, timeout=deadline_s)
        return list(answer) if method.server_streaming else [answer]


@contextmanager
def everything(folder: Path, database: str = "") -> Iterator[Served]:
    """All services on one port; no engine runs once there is something of each kind."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    common: dict[str, Any] = {"state": folder, "database": database}
    settings = {
        "distiller": DistillerSettings(device="cpu", threads=1, data_root=folder / "data", **common),
        "finetuner": FinetunerSettings(device="cpu", data_root=folder / "data", **common),
        "predictor": PredictorSettings(**common),
        "searcher": SearcherSettings(predictor=address, profilers=f"local={address}", **common),
        "profiler": ProfilerSettings(canary_every=0, **common),
    }
    (folder / "data").mkdir(exist_ok=True)
    builds: dict[str, Any] = {
        "distiller": distiller, "finetuner": finetuner, "predictor": predictor,
        "searcher": searcher, "profiler": profiler,
    }  # fmt: skip
    stores = {name: open_stores(told, name) for name, told in settings.items()}
    parts: dict[str, Parts] = {name: builds[name](settings[name], *stores[name]) for name in builds}
    artifacts = stores["distiller"][1]
    endpoints = [endpoint for part in parts.values() for endpoint in part.endpoints]
    try:
        with (
            serving(*endpoints, artifact_endpoint(artifacts), listen=address),
            open_channel(address) as channel,
        ):
            served = Served(channel, parts, artifacts)
            _fill(served)
            yield served
    finally:
        for part in parts.values():
            part.close()
        for store, _ in stores.values():
            store.engine.dispose()


def _fill(served: Served) -> None:
    """Makes a library, a finetune job, a predictor, a search and a measurement, and requests for every rpc."""
    library = build_library((3, 3), served.artifacts)
    library = dataclasses.replace(
        library,
        reference={"provider": "small_cnn", "arguments": REFERENCE, "weights": None},
        dataset={"provider": "digits", "arguments": {}, "split": SPLIT, "augment": []},
    )
    for n, m in ((n, m) for n in range(2) for m in range(3)):
        served.artifacts.put_bytes(f"{n} {m}".encode())
    stored = served.artifacts.put_bytes(library.to_json())
    manifest = artifact_message(stored)
    data = conv(3, 4, 8).SerializeToString()
    valid = served.valid = _specs(manifest, data)

    running = [
        engine for name in ("predictor", "searcher", "profiler") for engine in served.parts[name].engines
    ]
    for engine in running:
        engine.start()
    served.call("/donna.v1.ProfilerService/UploadModel", valid["/donna.v1.ProfilerService/UploadModel"][0])
    names = {}
    for resource, service, field in (
        ("BlockLibrary", "Distiller", "block_library"),
        ("FinetuneJob", "Finetuner", "finetune_job"),
        ("Predictor", "Predictor", "predictor"),
        ("Search", "Searcher", "search"),
        ("Measurement", "Profiler", "measurement"),
    ):
        stem = f"/donna.v1.{service}Service"
        create = valid[f"{stem}/Create{resource}"][0]
        if resource == "Search":
            create.spec.predictor = names["Predictor"]
        name = getattr(served.call(f"{stem}/Create{resource}", [create])[0], field).name
        names[resource] = name
        if service in ("Predictor", "Searcher", "Profiler"):
            last = served.call(f"{stem}/Watch{resource}", [_named(stem, "Watch", resource, name)])[-1]
            assert getattr(last, field).job.state == common_pb2.JOB_STATE_SUCCEEDED, last
        for verb in ("Get", "Cancel", "Watch", "Delete"):
            valid[f"{stem}/{verb}{resource}"] = [_named(stem, verb, resource, name)]
    for engine in running:
        engine.close()
    result = {"manifest": dataclasses.asdict(stored), "num_options": [3, 3]}
    served.parts["distiller"].engines[0].store.succeed(names["BlockLibrary"], result)
    valid["/donna.v1.DistillerService/ListBlockEntries"] = [
        distiller_pb2.ListBlockEntriesRequest(parent=names["BlockLibrary"], page_size=2)
    ]
    valid["/donna.v1.SearcherService/ListEvaluations"] = [
        searcher_pb2.ListEvaluationsRequest(parent=names["Search"], page_size=2)
    ]
    matrix = common_pb2.ArchitectureMatrix(
        num_architectures=2, num_blocks=2, choices=b"\0\1\2\0", bytes_per_choice=1
    )
    valid["/donna.v1.PredictorService/Predict"] = [
        predictor_pb2.PredictRequest(
            predictor=names["Predictor"], architectures=matrix, include_intervals=True, library=manifest
        )
    ]
    valid["/donna.v1.PredictorService/GetPredictorTables"] = [
        predictor_pb2.GetPredictorTablesRequest(predictor=names["Predictor"], library=manifest)
    ]
    unseen = predictor_pb2.AccuracySample(architecture=common_pb2.Architecture(choices=[2, 2]), accuracy=0.5)
    other = predictor_pb2.AccuracySample(architecture=common_pb2.Architecture(choices=[1, 2]), accuracy=0.6)
    valid["/donna.v1.PredictorService/EvaluatePredictor"] = [
        predictor_pb2.EvaluatePredictorRequest(predictor=names["Predictor"], samples=[unseen, other])
    ]
    for rpc, method in RPCS.items():
        if method.name.startswith("List"):
            valid.setdefault(rpc, [method.input_type._concrete_class()])


def _named(stem: str, verb: str, resource: str, name: str) -> Message:
    return RPCS[f"{stem}/{verb}{resource}"].input_type._concrete_class(name=name)


def _specs(manifest: common_pb2.Artifact, model: bytes) -> dict[str, list[Any]]:
    reference = common_pb2.Reference(provider="small_cnn", arguments=dict_to_struct(REFERENCE))
    dataset = common_pb2.Dataset(provider="digits", split=common_pb2.DatasetSplit(**SPLIT))
    sha256 = hashlib.sha256(model).hexdigest()
    chunk = common_pb2.Chunk(sha256=sha256, total_bytes=len(model), data=model)
    blocks = [
        distiller_pb2.BlockSpace(name=name, options=[OPTION, "skip()", "reference()"])
        for name in ("stage2", "stage3")
    ]
    samples = [
        predictor_pb2.AccuracySample(
            architecture=common_pb2.Architecture(choices=[i % 3, i // 3]), accuracy=0.9 - 0.01 * i
        )
        for i in range(7)
    ]
    instance = "0123456789abcdef"
    return {
        "/donna.v1.ArtifactService/DownloadArtifact": [
            artifacts_pb2.DownloadArtifactRequest(sha256=manifest.sha256)
        ],
        "/donna.v1.ArtifactService/UploadArtifact": [[artifacts_pb2.UploadArtifactRequest(chunk=chunk)]],
        "/donna.v1.ArtifactService/FindMissingArtifacts": [
            artifacts_pb2.FindMissingArtifactsRequest(sha256=[sha256, manifest.sha256])
        ],
        "/donna.v1.DistillerService/CreateBlockLibrary": [
            distiller_pb2.CreateBlockLibraryRequest(
                spec=distiller_pb2.BlockLibrarySpec(
                    reference=reference,
                    dataset=dataset,
                    blocks=blocks,
                    recipe=distiller_pb2.DistillationRecipe(epochs=1),
                ),
                request_id="a library",
            )
        ],
        "/donna.v1.DistillerService/InspectReference": [
            distiller_pb2.InspectReferenceRequest(reference=reference, input_shape=[1, 8, 8])
        ],
        "/donna.v1.DistillerService/InspectDataset": [distiller_pb2.InspectDatasetRequest(dataset=dataset)],
        "/donna.v1.FinetunerService/CreateFinetuneJob": [
            finetuner_pb2.CreateFinetuneJobRequest(
                spec=finetuner_pb2.FinetuneSpec(
                    library=manifest,
                    networks=[finetuner_pb2.Network(architecture=common_pb2.Architecture(choices=[0, 1]))],
                    recipe=finetuner_pb2.FinetuneRecipe(epochs=1),
                    export=finetuner_pb2.ExportSpec(opset=18),
                )
            )
        ],
        "/donna.v1.PredictorService/CreatePredictor": [
            predictor_pb2.CreatePredictorRequest(
                spec=predictor_pb2.PredictorSpec(library=manifest, samples=samples)
            )
        ],
        "/donna.v1.PredictorService/SampleArchitectures": [
            predictor_pb2.SampleArchitecturesRequest(library=manifest, num_architectures=3)
        ],
        "/donna.v1.SearcherService/CreateSearch": [
            searcher_pb2.CreateSearchRequest(
                spec=searcher_pb2.SearchSpec(
                    library=manifest,
                    objectives=[
                        searcher_pb2.Objective(metric=common_pb2.METRIC_ACCURACY),
                        searcher_pb2.Objective(metric=common_pb2.METRIC_MACS),
                    ],
                    bounds=[searcher_pb2.Bound(metric=common_pb2.METRIC_PARAMETERS, max=1e9)],
                    population=4,
                    generations=1,
                )
            )
        ],
        "/donna.v1.ProfilerService/UploadModel": [[profiler_pb2.UploadModelRequest(chunk=chunk)]],
        "/donna.v1.ProfilerService/FindMissingModels": [
            profiler_pb2.FindMissingModelsRequest(sha256=[sha256, manifest.sha256])
        ],
        "/donna.v1.ProfilerService/GetDevice": [profiler_pb2.GetDeviceRequest(name="devices/local")],
        "/donna.v1.ProfilerService/CreateMeasurement": [
            profiler_pb2.CreateMeasurementRequest(
                device="devices/local",
                network=profiler_pb2.MeasuredNetwork(model_sha256=sha256),
                settings=common_pb2.MeasurementSettings(
                    min_runs=3, max_runs=5, min_time_ms=1, warmup_runs=1, max_repeats=1, relative_ci_width=9
                ),
            )
        ],
        "/donna.v1.DeviceHubService/Attach": [
            [hub_pb2.AttachRequest(hello=hub_pb2.AgentHello(agent="phone", instance=instance))]
        ],
    }
