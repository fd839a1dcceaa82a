"""The searcher on the wire."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np

from donna.errors import DonnaError, InvalidArgument
from donna.jobs import Job
from donna.jobs.engine import Engine
from donna.jobs.store import check_page_size
from donna.rpc.messages import architecture_message, check_name, check_request_id
from donna.rpc.paging import page_of_jobs
from donna.rpc.watch import Watcher
from donna.space import Architecture, Library
from donna.v1 import searcher_pb2 as pb
from donna.v1 import searcher_pb2_grpc
from services.searcher import feasibility
from services.searcher.calibration import Plan
from services.searcher.evaluations import Evaluations
from services.searcher.glance import Impatient, latency_rows
from services.searcher.library_tables import cost_table
from services.searcher.measurement import UNSTABLE
from services.searcher.metric import ACCURACY, LATENCY_MS
from services.searcher.spec import MEASURED, SearchSpec
from services.searcher.survey import survey
from services.searcher.wire import feasibility_message, read_spec, search_message, spec_message
from services.searcher.work import KIND, Surroundings, evaluations_of

CHECK_DEADLINE_S = 45.0
"""For measuring a few networks while the caller waits; below the usual deadline of a call."""


class SearcherServicer(searcher_pb2_grpc.SearcherServiceServicer):
    """Searches as resources. What can be refused is refused by Create, before anything is stored."""

    def __init__(self, engine: Engine, around: Surroundings) -> None:
        self._engine = engine
        self._around = around
        self._watcher = Watcher(engine.store, _watched)

    def CreateSearch(self, request: pb.CreateSearchRequest, context: Any) -> pb.CreateSearchResponse:
        check_request_id(request.request_id)
        spec = read_spec(request.spec, to_run=not request.validate_only)
        if not spec.library:
            self._check_devices(request.spec)
            return pb.CreateSearchResponse(search=pb.Search(spec=spec_message(spec)))
        if not request.validate_only:
            # First, since a repeated call asks for what exists, whatever has become of predictor and devices.
            if known := self._engine.store.requested(KIND, spec.to_dict(), request.request_id):
                return pb.CreateSearchResponse(search=search_message(known))
        library = self._around.libraries.get(spec.library)
        check_against(library, spec)
        self._check_devices(request.spec)
        accuracy = self._around.accuracy(spec)
        rows = survey(spec, library, accuracy)
        if request.validate_only:
            if spec.devices:
                report = Impatient(self._engine.store, CHECK_DEADLINE_S)
                # A name that no job has, and another one each time: nothing of an earlier look is taken for granted.
                fleet = self._around.fleet(spec, library, report, f"checks/{secrets.token_hex(8)}")
                rows += latency_rows(spec, library, fleet)
            table = feasibility_message([row.to_dict() for row in rows])
            return pb.CreateSearchResponse(search=pb.Search(spec=spec_message(spec), feasibility=table))
        feasibility.check(rows)
        job = self._engine.create(spec.to_dict(), request_id=request.request_id)
        return pb.CreateSearchResponse(search=search_message(job))

    def GetSearch(self, request: pb.GetSearchRequest, context: Any) -> pb.GetSearchResponse:
        return pb.GetSearchResponse(search=search_message(self._job(request.name)))

    def ListSearches(self, request: pb.ListSearchesRequest, context: Any) -> pb.ListSearchesResponse:
        def respond(jobs: Iterable[Job], token: str) -> pb.ListSearchesResponse:
            return pb.ListSearchesResponse(searches=map(search_message, jobs), next_page_token=token)

        return page_of_jobs(self._engine.store, KIND, request, respond)

    def DeleteSearch(self, request: pb.DeleteSearchRequest, context: Any) -> pb.DeleteSearchResponse:
        self._engine.store.delete(check_name(request.name, KIND))
        return pb.DeleteSearchResponse()

    def CancelSearch(self, request: pb.CancelSearchRequest, context: Any) -> pb.CancelSearchResponse:
        return pb.CancelSearchResponse(
            search=search_message(self._engine.store.cancel(check_name(request.name, KIND)))
        )

    def WatchSearch(
        self, request: pb.WatchSearchRequest, context: Any
    ) -> AsyncIterator[pb.WatchSearchResponse]:
        return self._watcher.watch(check_name(request.name, KIND))

    def ListEvaluations(self, request: pb.ListEvaluationsRequest, context: Any) -> pb.ListEvaluationsResponse:
        job = self._job(request.parent, "parent")
        size, start = check_page_size(request.page_size), _read_token(request.page_token)
        table = evaluations_of(self._engine.store, self._around.artifacts, job)
        if table is None:
            return pb.ListEvaluationsResponse()
        rows = range(start, min(start + size, len(table)))
        last = rows.stop >= len(table)
        return pb.ListEvaluationsResponse(
            evaluations=evaluation_messages(table, rows),
            next_page_token="" if last else str(rows.stop),
        )

    def ListSearchDevices(
        self, request: pb.ListSearchDevicesRequest, context: Any
    ) -> pb.ListSearchDevicesResponse:
        found, silent = self._around.profilers.survey()
        devices: list[pb.SearchDevice] = [
            pb.SearchDevice(
                name=site.name,
                kind=site.kind,
                reachable=site.available,
                description=site.description if site.available else site.unavailable_reason,
                queue_length=site.queue_length,
                backend=site.backend,
                canary_drift=site.canary_drift,
                canary_ms=site.canary_ms,
                canary_time=site.canary_time if site.canary_ms else None,
                profiler=site.profiler,
                device=site.device,
            )
            for sites in found.values()
            for site in sites
        ]
        devices += [
            pb.SearchDevice(name=name, profiler=name, description=reason) for name, reason in silent.items()
        ]
        devices.sort(key=lambda device: device.name)
        return pb.ListSearchDevicesResponse(search_devices=devices)

    def _check_devices(self, message: pb.SearchSpec) -> None:
        named = [
            (f"spec.{field}[{i}].device", entry.device)
            for field in ("objectives", "bounds")
            for i, entry in enumerate(getattr(message, field))
        ]
        first = {device: field for field, device in reversed(named) if device}
        for device, field in first.items():
            self._around.profilers.check(device, field)

    def _job(self, name: str, field: str = "name") -> Job:
        return self._engine.store.get(check_name(name, KIND, field))


def _watched(job: Job) -> pb.WatchSearchResponse:
    return pb.WatchSearchResponse(search=search_message(job))


def check_against(library: Library, spec: SearchSpec) -> None:
    """Raises InvalidArgument when a spec does not fit its library."""
    for i, choices in enumerate(spec.initial):
        try:
            Architecture(choices=choices).check(library.num_options)
        except DonnaError as error:
            reason = error.message.removeprefix("architecture: ")
            raise InvalidArgument.of(f"spec.initial[{i}]", reason) from None
    if spec.devices and spec.latency_mode != MEASURED and spec.max_measurements:
        plan = Plan.of(cost_table(library, "macs"), library.num_options, spec.seed)
        if spec.max_measurements <= plan.size:
            raise InvalidArgument.of(
                "spec.max_measurements",
                f"a latency table of this library takes {plan.size} measurements and the front some more, "
                f"got {spec.max_measurements}",
            )


def evaluation_messages(table: Evaluations, rows: Iterable[int]) -> list[pb.Evaluation]:
    """Rows of a table on the wire."""
    return [_evaluation(table, row) for row in rows]


def _evaluation(table: Evaluations, row: int) -> pb.Evaluation:
    message = pb.Evaluation(
        index=row,
        generation=int(table.generation[row]),
        architecture=architecture_message(table.X[row]),
        feasible=bool(table.feasible[row]),
    )
    for metric, value in zip(table.metrics, table.values[row].tolist(), strict=True):
        if metric.name == ACCURACY:
            message.predicted_accuracy = value
        elif metric.name == LATENCY_MS and not np.isnan(value):
            message.latency_ms[metric.device] = value
    for device, note in table.note(row).items():
        if note != UNSTABLE:
            message.failures[device] = note
    return message


def _read_token(token: str) -> int:
    """The row that a page starts with. Raises InvalidArgument."""
    if token and not (token.isascii() and token.isdigit() and len(token) < 20):
        raise InvalidArgument.of("page_token", "was not made by this service")
    return int(token or 0)
