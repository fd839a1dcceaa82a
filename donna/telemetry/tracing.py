"""Traces across services, for an OpenTelemetry collector; needs the extra donna[tracing].

A call that one service makes of another while it works on a task, from whatever thread, is a child of the task's
span; the other service's span is a child of the call's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import donna
from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs import current
from donna.jobs.record import Task
from donna.rpc import channel


@dataclass(frozen=True, kw_only=True)
class Tracing:
    """What a server needs for it, and how it ends: `close` sends what is left."""

    interceptors: Sequence[Any] = ()
    close: Callable[[], None] = field(default=lambda: None)


def start_tracing(service: str, endpoint: str, exporter: Any = None) -> Tracing:
    """Sends spans to `endpoint` (http://host:4317, or https) by OTLP over gRPC; does nothing when it is empty.

    `exporter` takes the spans instead, where one is given. Raises InvalidArgument for another kind of endpoint,
    FailedPrecondition when the extra is not installed.
    """
    if not endpoint:
        return Tracing()
    if not endpoint.startswith(("http://", "https://")):
        raise InvalidArgument.of("traces_endpoint", f"must read like http://host:4317, got {endpoint!r}")
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.grpc import aio_server_interceptor, client_interceptor, filters
        from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
        from opentelemetry.instrumentation.threading import ThreadingInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise FailedPrecondition(
            f"traces need {error.name}, which comes with the extra donna[tracing]"
        ) from error
    resource = Resource.create({"service.name": f"donna-{service}", "service.version": donna.__version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint)))
    ThreadingInstrumentor().instrument()
    tracer = provider.get_tracer("donna")
    calls = client_interceptor(tracer_provider=provider)

    def wrap(opened: Any) -> Any:
        return intercept_channel(opened, calls)

    @contextmanager
    def around(task: Task) -> Iterator[None]:
        with tracer.start_as_current_span(task.label or task.job, attributes=_attributes(task)):
            yield

    current.around.append(around)
    channel.wrappers.append(wrap)

    def close() -> None:
        current.around.remove(around)
        channel.wrappers.remove(wrap)
        ThreadingInstrumentor().uninstrument()
        provider.shutdown()

    asked_by_probes = filters.any_of(filters.health_check(), filters.service_prefix("grpc.reflection"))
    interceptor = aio_server_interceptor(tracer_provider=provider, filter_=filters.negate(asked_by_probes))
    return Tracing(interceptors=[interceptor], close=close)


def _attributes(task: Task) -> dict[str, str | int]:
    return {"donna.job": task.job, "donna.task": task.index, "donna.attempt": task.attempt}
