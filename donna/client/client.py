"""The client: job resources of every kind, artifacts, and devices."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from donna.client import artifacts
from donna.client.absent import Absent
from donna.client.devices import Devices
from donna.client.endpoints import Endpoints
from donna.client.kinds import KINDS, SPECS, kind_of
from donna.client.patience import AWAY, ENDED, PATIENCE_S, Patience, check_succeeded, patiently
from donna.errors import AlreadyExists, NotFound
from donna.rpc.channel import PROFILER, Line, Remote, open_channel
from donna.space.library import Library
from donna.v1 import (
    artifacts_pb2_grpc,
    common_pb2,
    distiller_pb2,
    distiller_pb2_grpc,
    finetuner_pb2,
    finetuner_pb2_grpc,
    predictor_pb2,
    predictor_pb2_grpc,
    profiler_pb2_grpc,
    searcher_pb2,
    searcher_pb2_grpc,
)

CREATE_DEADLINE_S = 600.0
"""What is asked for is checked first, and a million images take their time to be listed."""

R = TypeVar("R")
OnChange = Callable[[Any], None] | None


class Client:
    """Speaks to the five services. Threads may share it.

    `while_away` is called whenever a service does not answer and is to be waited for; it may raise instead.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        token: str = "",
        credentials: Any = None,
        while_away: Callable[[], None] = lambda: None,
    ) -> None:
        self.endpoints = endpoints
        self._channels: dict[str, tuple[Any, Line]] = {}
        self.while_away = while_away

        def remote(stub: Any, address: str, *metadata: tuple[str, str]) -> Any:
            if not address:
                return Absent(stub.__name__.removesuffix("ServiceStub").lower())
            if address not in self._channels:
                self._channels[address] = open_channel(address, credentials), Line()
            channel, line = self._channels[address]
            return Remote(
                stub,
                channel,
                token=token,
                patience_s=PATIENCE_S,
                metadata=metadata,
                while_away=while_away,
                line=line,
            )

        self.distiller = remote(distiller_pb2_grpc.DistillerServiceStub, endpoints.distiller)
        self.finetuner = remote(finetuner_pb2_grpc.FinetunerServiceStub, endpoints.finetuner)
        self.predictor = remote(predictor_pb2_grpc.PredictorServiceStub, endpoints.predictor)
        self.searcher = remote(searcher_pb2_grpc.SearcherServiceStub, endpoints.searcher)
        profiler = profiler_pb2_grpc.ProfilerServiceStub
        self.profilers = {name: remote(profiler, address) for name, address in endpoints.profilers.items()}
        self.devices = Devices(
            self.searcher,
            lambda name: remote(profiler, endpoints.searcher, (PROFILER, name)),
            self.profilers,
            while_away,
        )
        # All services share one artifact store, and each of them serves it.
        store = endpoints.distiller or endpoints.finetuner or endpoints.predictor or endpoints.searcher
        self._store = remote(artifacts_pb2_grpc.ArtifactServiceStub, store)

    def close(self) -> None:
        """Closes all connections."""
        for channel, _ in self._channels.values():
            channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @overload
    def create(
        self, spec: distiller_pb2.BlockLibrarySpec, *, request_id: str = ..., validate_only: bool = ...
    ) -> distiller_pb2.BlockLibrary: ...
    @overload
    def create(
        self, spec: finetuner_pb2.FinetuneSpec, *, request_id: str = ..., validate_only: bool = ...
    ) -> finetuner_pb2.FinetuneJob: ...
    @overload
    def create(
        self, spec: predictor_pb2.PredictorSpec, *, request_id: str = ..., validate_only: bool = ...
    ) -> predictor_pb2.Predictor: ...
    @overload
    def create(
        self, spec: searcher_pb2.SearchSpec, *, request_id: str = ..., validate_only: bool = ...
    ) -> searcher_pb2.Search: ...
    def create(self, spec: Any, *, request_id: str = "", validate_only: bool = False) -> Any:
        """Creates the resource that a spec message describes and returns it at once. The same `request_id` returns the
        same resource; without one, each call makes another."""
        kind = KINDS[SPECS[type(spec)]]
        request = getattr(kind.messages, f"Create{kind.resource}Request")(
            # Of its own, so that a call which is made again on a bad line makes one job.
            spec=spec,
            request_id=request_id or uuid.uuid4().hex,
            validate_only=validate_only,
        )
        call = getattr(getattr(self, kind.service), f"Create{kind.resource}")
        return getattr(call(request, deadline_s=CREATE_DEADLINE_S), kind.field)

    @overload
    def ensure(
        self, spec: distiller_pb2.BlockLibrarySpec, key: str, on_change: OnChange = ...
    ) -> distiller_pb2.BlockLibrary: ...
    @overload
    def ensure(
        self, spec: finetuner_pb2.FinetuneSpec, key: str, on_change: OnChange = ...
    ) -> finetuner_pb2.FinetuneJob: ...
    @overload
    def ensure(
        self, spec: predictor_pb2.PredictorSpec, key: str, on_change: OnChange = ...
    ) -> predictor_pb2.Predictor: ...
    @overload
    def ensure(
        self, spec: searcher_pb2.SearchSpec, key: str, on_change: OnChange = ...
    ) -> searcher_pb2.Search: ...
    def ensure(self, spec: Any, key: str, on_change: OnChange = None) -> Any:
        """The finished resource that a spec describes: begun under this key now or by an earlier call, and waited for.

        What failed or was cancelled earlier is tried anew, and so is a key under which something else was asked for.
        Raises JobFailed when it fails.
        """
        for attempt in count(1):
            try:
                resource = self.create(spec, request_id=f"{key}-{attempt}")
            except AlreadyExists:
                continue
            if resource.job.state not in (common_pb2.JOB_STATE_FAILED, common_pb2.JOB_STATE_CANCELLED):
                return self.wait(resource, on_change)
        raise AssertionError  # there is no last attempt

    def get(self, name: str) -> Any:
        """The resource of that name."""
        return getattr(self._call("Get", name), kind_of(name).field)

    def cancel(self, name: str) -> Any:
        """Asks a job to stop; returns its resource."""
        return getattr(self._call("Cancel", name), kind_of(name).field)

    def delete(self, name: str) -> None:
        """Deletes a resource whose job has ended. Raises NotFound when there is none."""
        self.get(name)
        try:
            self._call("Delete", name)
        except NotFound:
            pass  # it was there: the call was made twice on a bad line

    @overload
    def list(self, collection: Literal["blockLibraries"]) -> Iterator[distiller_pb2.BlockLibrary]: ...
    @overload
    def list(self, collection: Literal["finetuneJobs"]) -> Iterator[finetuner_pb2.FinetuneJob]: ...
    @overload
    def list(self, collection: Literal["predictors"]) -> Iterator[predictor_pb2.Predictor]: ...
    @overload
    def list(self, collection: Literal["searches"]) -> Iterator[searcher_pb2.Search]: ...
    @overload
    def list(self, collection: str) -> Iterator[Any]: ...
    def list(self, collection: str) -> Iterator[Any]:
        """All resources of a collection, newest first, page by page."""
        kind, token = kind_of(collection), ""
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

    def watch(self, name: str) -> Iterator[Any]:
        """The resource now and whenever it has changed, until its job has ended.

        A service that goes away is waited for, up to a minute, and watched again.
        """
        kind, patience = kind_of(name), Patience(self.while_away)
        while True:
            try:
                for response in self._call("Watch", name):
                    patience.heard()
                    resource = getattr(response, kind.field)
                    yield resource
                    if resource.job.state in ENDED:
                        return
            except AWAY as error:
                patience.wait(error)

    @overload
    def wait(self, resource: str, on_change: OnChange = ...) -> Any: ...
    @overload
    def wait(self, resource: R, on_change: OnChange = ...) -> R: ...
    def wait(self, resource: Any, on_change: OnChange = None) -> Any:
        """Waits for the job of a resource (or of a name) to end and returns the resource.

        Raises JobFailed, with the job's own reason and sentence, unless it succeeded.
        """
        name = resource if isinstance(resource, str) else resource.name
        for current in self.watch(name):
            resource = current
            if on_change is not None:
                on_change(current)
        check_succeeded(name, resource.job)
        return resource

    def _call(self, verb: str, name: str) -> Any:
        kind = kind_of(name)
        request = getattr(kind.messages, f"{verb}{kind.resource}Request")(name=name)
        return getattr(getattr(self, kind.service), f"{verb}{kind.resource}")(request)

    def download(self, artifact: common_pb2.Artifact) -> bytes:
        """The bytes of an artifact, checked. Raises NotFound or DataLoss."""
        return patiently(lambda: artifacts.download(self._store, artifact), self.while_away)

    def upload(self, data: bytes | Path) -> common_pb2.Artifact:
        """Stores bytes, or those of a file, as an artifact, unless the store has them."""
        content = data.read_bytes() if isinstance(data, Path) else data
        return patiently(lambda: artifacts.upload(self._store, content), self.while_away)

    def manifest(self, library: common_pb2.Artifact) -> Library:
        """The manifest of a block library: its blocks, their options, qualities and costs."""
        return Library.from_json(self.download(library))
