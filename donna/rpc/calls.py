"""Tells an observer of every call: its method, how it ended, how long it took."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Protocol

import grpc
from google.protobuf import descriptor_pool


class CallObserver(Protocol):
    """`kind` is unary, client_stream, server_stream or bidi_stream; `method` is /package.Service/Method."""

    def started(self, method: str, kind: str) -> None:
        """A call has begun."""

    def ended(self, method: str, kind: str, code: str, seconds: float) -> None:
        """It has ended with this status ("OK", "NOT_FOUND")."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """The outermost interceptor of a server: it sees the status that the caller sees.

    Unknown methods are not told of, their names are the caller's; nor are health and reflection, which probes ask.
    """

    def __init__(self, observer: CallObserver) -> None:
        self._observer = observer

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith("/grpc."):
            return handler
        kind, name = _kind(details.method), _name_of(handler)
        answer = self._stream if handler.response_streaming else self._one
        make = getattr(grpc, f"{name}_rpc_method_handler")
        return make(
            functools.partial(answer, getattr(handler, name), details.method, kind),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _one(self, behaviour: Any, method: str, kind: str, request: Any, context: Any) -> Any:
        with self._observed(method, kind, context):
            return await behaviour(request, context)

    async def _stream(
        self, behaviour: Any, method: str, kind: str, request: Any, context: Any
    ) -> AsyncIterator[Any]:
        with self._observed(method, kind, context):
            async with aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    yield response

    @contextmanager
    def _observed(self, method: str, kind: str, context: Any) -> Iterator[None]:
        self._observer.started(method, kind)
        began = time.monotonic()
        code = "CANCELLED"  # by the caller, or by its deadline: neither leaves a status here
        try:
            yield
            code = "OK"
        except Exception:
            code = _name(context.code())
            raise
        finally:
            self._observer.ended(method, kind, code, time.monotonic() - began)


def _kind(method: str) -> str:
    """As the contract says: whoever is further in may take a single request as a stream."""
    rpc = descriptor_pool.Default().FindMethodByName(method.removeprefix("/").replace("/", "."))
    if rpc.client_streaming:
        return "bidi_stream" if rpc.server_streaming else "client_stream"
    return "server_stream" if rpc.server_streaming else "unary"


def _name_of(handler: Any) -> str:
    return "_".join(
        "stream" if it else "unary" for it in (handler.request_streaming, handler.response_streaming)
    )


def _name(code: Any) -> str:
    """`context.code()` is a StatusCode or its number; 0 when the handler set none and raised."""
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((status.name for status in grpc.StatusCode if status.value[0] == code and code), "UNKNOWN")
