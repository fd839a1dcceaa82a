"""Traces: calls made for a task, in whatever thread, hang on the task's span, through the other service."""

import itertools
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from donna.errors import FailedPrecondition, InvalidArgument, NotFound
from donna.jobs import current
from donna.rpc.channel import Remote, open_channel
from donna.telemetry.tracing import Tracing, start_tracing
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.unit.rpc.serving import Small, endpoint, serving
from tests.unit.telemetry.test_logs import TASK

pytest.importorskip("opentelemetry.sdk")


@pytest.fixture
def spans() -> list[Any]:
    """What was sent, complete once `tracing` is closed."""
    return []


@pytest.fixture
def tracing(spans: list[Any]) -> Iterator[Tracing]:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Kept(SpanExporter):
        def export(self, found: Any) -> SpanExportResult:
            spans.extend(found)
            return SpanExportResult.SUCCESS

    started = start_tracing("searcher", "http://127.0.0.1:1", exporter=Kept())
    yield started
    if current.around:  # the test did not close it
        started.close()


def test_a_task_its_calls_and_the_other_services_calls_are_one_trace(
    tracing: Tracing, spans: list[Any]
) -> None:
    inner, outer = Small(), Small()
    with (
        serving(endpoint(inner), interceptors=tracing.interceptors) as inner_address,
        serving(endpoint(outer), interceptors=tracing.interceptors) as outer_address,
        open_channel(inner_address) as to_inner,
        open_channel(outer_address) as to_outer,
    ):
        at_inner = Remote(ProfilerServiceStub, to_inner, deadline_s=30)
        at_outer = Remote(ProfilerServiceStub, to_outer, deadline_s=30)

        def ask_further(_: Any) -> None:
            list(at_inner.WatchMeasurement(pb.WatchMeasurementRequest()))
            raise NotFound("there is none")

        def ask() -> None:
            with pytest.raises(NotFound):
                at_outer.GetDevice(pb.GetDeviceRequest())

        outer.answer = ask_further
        with current.working_on(TASK):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
    tracing.close()
    named = {(span.name.removeprefix("/"), span.kind.name): span for span in spans}
    chain = [
        named["searches/1f2e", "INTERNAL"],
        named["donna.v1.ProfilerService/GetDevice", "CLIENT"],
        named["donna.v1.ProfilerService/GetDevice", "SERVER"],
        named["donna.v1.ProfilerService/WatchMeasurement", "CLIENT"],
        named["donna.v1.ProfilerService/WatchMeasurement", "SERVER"],
    ]
    for parent, child in itertools.pairwise(chain):
        assert child.parent is not None and child.parent.span_id == parent.context.span_id
    assert len({span.context.trace_id for span in chain}) == 1
    assert chain[0].attributes["donna.job"] == "searches/1f2e"
    assert chain[0].resource.attributes["service.name"] == "donna-searcher"
    assert current.around == []


def test_spans_reach_a_collector() -> None:
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc")
    answer = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    received: list[str] = []

    class Collector(trace_service.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
            received.extend(span.name for scope in scopes for span in scope.spans)
            return answer.ExportTraceServiceResponse()

    collector = grpc.server(futures.ThreadPoolExecutor(1))
    trace_service.add_TraceServiceServicer_to_server(Collector(), collector)
    port = collector.add_insecure_port("127.0.0.1:0")
    collector.start()
    tracing = start_tracing("predictor", f"http://127.0.0.1:{port}")
    try:
        with current.working_on(TASK):
            pass
    finally:
        tracing.close()
        collector.stop(None)
    assert received == ["searches/1f2e"]


def test_nothing_is_started_without_an_endpoint() -> None:
    assert start_tracing("predictor", "").interceptors == ()
    with pytest.raises(InvalidArgument, match="traces_endpoint: must read like http"):
        start_tracing("predictor", "collector:4317")


def test_without_the_extra_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.instrumentation.grpc", None)
    with pytest.raises(FailedPrecondition, match=r"the extra donna\[tracing\]"):
        start_tracing("predictor", "http://127.0.0.1:1")
