"""The SDK: one client for the five services.

    with donna.local.services() as client:
        library = client.wait(client.create(BlockLibrarySpec(...)))

Resources are the protobuf messages of donna.v1; errors are donna.errors. Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from donna.errors import DataLoss, DonnaError, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from donna.rpc.channel import Remote, open_channel
from donna.space.library import Library
from donna.v1 import (
    artifacts_pb2,
    artifacts_pb2_grpc,
    common_pb2,
    distiller_pb2,
    distiller_pb2_grpc,
    finetuner_pb2,
    finetuner_pb2_grpc,
    predictor_pb2,
    predictor_pb2_grpc,
    profiler_pb2,
    profiler_pb2_grpc,
    searcher_pb2,
    searcher_pb2_grpc,
)

SERVICES = ("distiller", "finetuner", "predictor", "searcher")
PATIENCE_S = 60.0
_CHUNK = 1 << 20
_ENDED = (
    common_pb2.JOB_STATE_SUCCEEDED,
    common_pb2.JOB_STATE_FAILED,
    common_pb2.JOB_STATE_CANCELLED,
)


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where the services are, host:port each; `profilers` by the names that searches use for the devices.

    A service without an address is not spoken to: asking it is FailedPrecondition.
    """

    distiller: str = ""
    finetuner: str = ""
    predictor: str = ""
    searcher: str = ""
    profilers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Kind:
    """How a collection is spoken of on the wire."""

    service: str
    resource: str
    field: str
    plural: str
    plural_field: str
    messages: Any


KINDS = {
    "blockLibraries": _Kind(
        "distiller", "BlockLibrary", "block_library", "BlockLibraries", "block_libraries", distiller_pb2
    ),
    "finetuneJobs": _Kind(
        "finetuner", "FinetuneJob", "finetune_job", "FinetuneJobs", "finetune_jobs", finetuner_pb2
    ),
    "predictors": _Kind("predictor", "Predictor", "predictor", "Predictors", "predictors", predictor_pb2),
    "searches": _Kind("searcher", "Search", "search", "Searches", "searches", searcher_pb2),
}
_SPECS = {
    distiller_pb2.BlockLibrarySpec: "blockLibraries",
    finetuner_pb2.FinetuneSpec: "finetuneJobs",
    predictor_pb2.PredictorSpec: "predictors",
    searcher_pb2.SearchSpec: "searches",
}


class JobFailed(DonnaError):
    """A job ended without a result; the message is the job's own."""

    default_reason = "JOB_FAILED"


class _Absent:
    """A service that this client has no address of."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, rpc: str) -> Any:
        raise FailedPrecondition(f"no address of the {self._service} is known", reason="NO_ADDRESS")


class Client:
    """Speaks to the five services. Threads may share it."""

    def __init__(self, endpoints: Endpoints, *, token: str = "", credentials: Any = None) -> None:
        self.endpoints = endpoints
        self._channels: list[Any] = []

        def remote(stub: Any, address: str) -> Any:
            if not address:
                return _Absent(stub.__name__.removesuffix("ServiceStub").lower())
            channel = open_channel(address, credentials)
            self._channels.append(channel)
            return Remote(stub, channel, token=token, patience_s=PATIENCE_S)

        self.distiller = remote(distiller_pb2_grpc.DistillerServiceStub, endpoints.distiller)
        self.finetuner = remote(finetuner_pb2_grpc.FinetunerServiceStub, endpoints.finetuner)
        self.predictor = remote(predictor_pb2_grpc.PredictorServiceStub, endpoints.predictor)
        self.searcher = remote(searcher_pb2_grpc.SearcherServiceStub, endpoints.searcher)
        self.profilers = {
            name: remote(profiler_pb2_grpc.ProfilerServiceStub, address)
            for name, address in endpoints.profilers.items()
        }
        # All services share one artifact store, and each of them serves it.
        store = endpoints.distiller or endpoints.finetuner or endpoints.predictor or endpoints.searcher
        self._artifacts = remote(artifacts_pb2_grpc.ArtifactServiceStub, store)

    def close(self) -> None:
        """Closes all connections."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, spec: Any, *, request_id: str = "", validate_only: bool = False) -> Any:
        """Creates the resource that a spec message describes (BlockLibrarySpec, FinetuneSpec, PredictorSpec or
        SearchSpec) and returns it at once. The same `request_id` returns the same resource."""
        kind = KINDS[_SPECS[type(spec)]]
        request = getattr(kind.messages, f"Create{kind.resource}Request")(
            spec=spec, request_id=request_id, validate_only=validate_only
        )
        remote: Remote = getattr(self, kind.service)
        return getattr(getattr(remote, f"Create{kind.resource}")(request), kind.field)

    def get(self, name: str) -> Any:
        """The resource of that name."""
        return getattr(self._call("Get", name), _kind(name).field)

    def cancel(self, name: str) -> Any:
        """Asks a job to stop; returns its resource."""
        return getattr(self._call("Cancel", name), _kind(name).field)

    def delete(self, name: str) -> None:
        """Deletes a resource whose job has ended."""
        self._call("Delete", name)

    def list(self, collection: str) -> Iterator[Any]:
        """All resources of a collection ("searches"), newest first, page by page."""
        kind, token = KINDS[collection], ""
        while True:
            request = getattr(kind.messages, f"List{kind.plural}Request")(page_token=token)
            response = getattr(getattr(self, kind.service), f"List{kind.plural}")(request)
            yield from getattr(response, kind.plural_field)
            token = response.next_page_token
            if not token:
                return

    def evaluations(self, search: str) -> Iterator[searcher_pb2.Evaluation]:
        """Every architecture that a search has evaluated, in order of evaluation."""
        token = ""
        while True:
            page = self.searcher.ListEvaluations(
                searcher_pb2.ListEvaluationsRequest(parent=search, page_size=1000, page_token=token)
            )
            yield from page.evaluations
            token = page.next_page_token
            if not token:
                return

    def manifest(self, library: common_pb2.Artifact) -> Library:
        """The manifest of a block library: its blocks, their options, qualities and costs."""
        return Library.from_json(self.download(library))

    def watch(self, name: str) -> Iterator[Any]:
        """The resource now and whenever it has changed, until its job has ended.

        A service that goes away is waited for, up to a minute, and watched again.
        """
        kind = _kind(name)
        gone_since: float | None = None
        while True:
            try:
                for response in self._call("Watch", name):
                    gone_since = None
                    resource = getattr(response, kind.field)
                    yield resource
                    if resource.job.state in _ENDED:
                        return
            except Unavailable:
                gone_since = gone_since or time.monotonic()
                if time.monotonic() - gone_since > PATIENCE_S:
                    raise
                time.sleep(0.2)

    def wait(self, resource: Any, on_change: Callable[[Any], None] | None = None) -> Any:
        """Waits for the job of a resource (or of a name) to end and returns the resource.

        Raises JobFailed, with the job's own reason and sentence, unless it succeeded.
        """
        name = resource if isinstance(resource, str) else resource.name
        for current in self.watch(name):
            resource = current
            if on_change is not None:
                on_change(current)
        if resource.job.state == common_pb2.JOB_STATE_FAILED:
            error = resource.job.error
            raise JobFailed(error.message, reason=error.reason, metadata=dict(error.metadata))
        if resource.job.state == common_pb2.JOB_STATE_CANCELLED:
            raise JobFailed(f"{name} was cancelled", reason="CANCELLED")
        return resource

    def _call(self, verb: str, name: str) -> Any:
        kind = _kind(name)
        request = getattr(kind.messages, f"{verb}{kind.resource}Request")(name=name)
        return getattr(getattr(self, kind.service), f"{verb}{kind.resource}")(request)

    def download(self, artifact: common_pb2.Artifact) -> bytes:
        """The bytes of an artifact, checked. Raises NotFound or DataLoss."""
        request = artifacts_pb2.DownloadArtifactRequest(sha256=artifact.sha256)
        data = b"".join(response.chunk.data for response in self._artifacts.DownloadArtifact(request))
        if hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise DataLoss(f"artifact {artifact.sha256} arrived damaged", reason="HASH_MISMATCH")
        return data

    def upload(self, data: bytes | Path) -> common_pb2.Artifact:
        """Stores bytes as an artifact, unless the store has them."""
        data = data.read_bytes() if isinstance(data, Path) else data
        sha256 = hashlib.sha256(data).hexdigest()
        request = artifacts_pb2.FindMissingArtifactsRequest(sha256=[sha256])
        if self._artifacts.FindMissingArtifacts(request).missing_sha256:
            chunks = (artifacts_pb2.UploadArtifactRequest(chunk=chunk) for chunk in _chunks(data, sha256))
            return self._artifacts.UploadArtifact(chunks, deadline_s=3600.0).artifact
        return common_pb2.Artifact(uri=f"artifact:sha256/{sha256}", sha256=sha256, size_bytes=len(data))

    def measure(
        self,
        device: str,
        onnx: bytes,
        settings: common_pb2.MeasurementSettings | None = None,
        *,
        skip_cache: bool = False,
    ) -> profiler_pb2.MeasurementResult:
        """Measures an ONNX model on a device and returns the figures. Raises JobFailed with the device's reason."""
        profiler = self.profilers.get(device)
        if profiler is None:
            raise NotFound(f"device {device!r} is not known; known are {', '.join(self.profilers) or 'none'}")
        sha256 = hashlib.sha256(onnx).hexdigest()
        missing = profiler.FindMissingModels(profiler_pb2.FindMissingModelsRequest(sha256=[sha256]))
        if missing.missing_sha256:
            start = missing.partial_bytes.get(sha256, 0)
            chunks = (profiler_pb2.UploadModelRequest(chunk=chunk) for chunk in _chunks(onnx, sha256, start))
            profiler.UploadModel(chunks, deadline_s=3600.0)
        measurement = profiler.CreateMeasurement(
            profiler_pb2.CreateMeasurementRequest(
                network=profiler_pb2.MeasuredNetwork(model_sha256=sha256),
                settings=settings,
                skip_cache=skip_cache,
            )
        ).measurement
        request = profiler_pb2.WatchMeasurementRequest(name=measurement.name)
        for response in profiler.WatchMeasurement(request):
            measurement = response.measurement
        if measurement.job.state != common_pb2.JOB_STATE_SUCCEEDED:
            error = measurement.job.error
            raise JobFailed(error.message or "the measurement was cancelled", reason=error.reason)
        return measurement.result


def _kind(name: str) -> _Kind:
    collection = name.partition("/")[0]
    if collection not in KINDS:
        raise InvalidArgument.of("name", f"{name!r} is in none of the collections {', '.join(KINDS)}")
    return KINDS[collection]


def _chunks(data: bytes, sha256: str, start: int = 0) -> Iterator[common_pb2.Chunk]:
    for offset in range(start, len(data), _CHUNK):
        yield common_pb2.Chunk(
            sha256=sha256, offset=offset, total_bytes=len(data), data=data[offset : offset + _CHUNK]
        )
