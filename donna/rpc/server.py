"""The server of every service: asyncio, so that watchers never starve other calls.

A servicer's unary methods are plain functions; they run in a pool of threads. Streaming methods are
asynchronous. Whatever they raise becomes a typed status here, and nowhere else: a defect of ours is INTERNAL with
no detail on the wire and a traceback in the log.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from donna.errors import DonnaError, FailedPrecondition, Internal, InvalidArgument, Unavailable
from donna.jobs.store import as_unavailable
from donna.rpc.authentication import Gate, check_listen
from donna.rpc.limits import MAX_MESSAGE_BYTES, Limit
from donna.rpc.status import to_status

log = logging.getLogger("donna.rpc")

MAX_UNARY_CALLS = 256
MAX_STREAMS = 1000
UNARY_THREADS = 16
GRACE_S = 5.0
LASTING = ("Watch", "Attach")
"""How methods begin whose calls last as long as their caller likes: nothing of them is worth a server's waiting."""
HEALTH_TIMEOUT_S = 5.0
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A servicer and how to add it: `add` is the generated add_..._to_server, `name` the full service name."""

    add: Callable[[Any, Any], None]
    servicer: Any
    name: str


LetIn = Callable[[Any], None]
"""Raises unless the caller, with these properties of its connection, may make the call."""


class Boundary(grpc.aio.ServerInterceptor):
    """Between the wire and the servicers: authentication, threads for unary calls, errors to statuses."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._pool = ThreadPoolExecutor(UNARY_THREADS, thread_name_prefix="rpc")
        self._call_limit = Limit(MAX_UNARY_CALLS, "calls")
        self._stream_limit = Limit(MAX_STREAMS, "streams")
        self._lasting: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith("/grpc."):
            return handler
        let_in = functools.partial(self._gate.check, details.method, dict(details.invocation_metadata))
        lasting = details.method.rpartition("/")[2].startswith(LASTING)
        # Requests are parsed in here, so that bytes which are no message are the caller's error.
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                functools.partial(self._exchange, handler, let_in, lasting),
                response_serializer=handler.response_serializer,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                functools.partial(self._stream, handler, let_in, lasting),
                response_serializer=handler.response_serializer,
            )
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                functools.partial(self._upload, handler, let_in),
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            functools.partial(self._unary, handler, let_in),
            response_serializer=handler.response_serializer,
        )

    async def _unary(self, handler: Any, let_in: LetIn, request: bytes, context: Any) -> Message:
        async with _admitted(context, let_in, self._call_limit):
            method, message = handler.unary_unary, _parsed(handler, request)
            if inspect.iscoroutinefunction(method):
                return await method(message, context)
            within = contextvars.copy_context()  # what traces a call goes with it into the thread
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, within.run, _called, method, message, context
            )

    async def _upload(self, handler: Any, let_in: LetIn, requests: Any, context: Any) -> Message:
        async with _admitted(context, let_in, self._stream_limit):
            messages = (_parsed(handler, request) async for request in requests)
            return await handler.stream_unary(messages, context)

    async def _stream(
        self, handler: Any, let_in: LetIn, lasting: bool, request: bytes, context: Any
    ) -> AsyncIterator[Message]:
        async with _admitted(context, let_in, self._stream_limit), self._until_the_end(lasting):
            async with aclosing(handler.unary_stream(_parsed(handler, request), context)) as responses:
                async for response in responses:
                    yield response

    async def _exchange(
        self, handler: Any, let_in: LetIn, lasting: bool, requests: Any, context: Any
    ) -> AsyncIterator[Message]:
        async with _admitted(context, let_in, self._stream_limit), self._until_the_end(lasting):
            messages = (_parsed(handler, request) async for request in requests)
            async with aclosing(handler.stream_stream(messages, context)) as responses:
                async for response in responses:
                    yield response

    @asynccontextmanager
    async def _until_the_end(self, lasting: bool) -> AsyncIterator[None]:
        """A lasting call ends, UNAVAILABLE, when the server stops."""
        task = asyncio.current_task()
        if not lasting or task is None:
            yield
            return
        self._lasting.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            raise Unavailable("the service stops", reason="STOPPING") from None
        finally:
            self._lasting.discard(task)

    def stop_lasting(self) -> None:
        """Ends the calls that would never end by themselves."""
        self._stopping = True
        for task in self._lasting:
            task.cancel()

    def close(self) -> None:
        """No more calls."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _called(method: Any, message: Any, context: Any) -> Any:
    try:
        return method(message, context)
    except StopIteration as error:  # a future cannot carry it, and the call would never end
        raise RuntimeError("an iterator was empty") from error


def _parsed(handler: Any, request: bytes) -> Any:
    try:
        return handler.request_deserializer(request)
    except DecodeError:
        raise InvalidArgument("the request is no message of this rpc", reason="MALFORMED_REQUEST") from None


@asynccontextmanager
async def _errors_as_statuses(context: Any) -> AsyncIterator[None]:
    try:
        yield
    except (grpc.aio.AbortError, grpc.aio.UsageError):
        raise
    except Exception as error:
        if (away := as_unavailable(error)) is not None:
            log.warning("a call failed: %s", away.message)
            error = away
        if not isinstance(error, DonnaError):
            log.error("a call failed by a defect", exc_info=error)
            error = Internal("the service failed by a defect; its log has the details")
        status = rpc_status.to_status(to_status(error))
        await context.abort(status.code, status.details, status.trailing_metadata)


@asynccontextmanager
async def _admitted(context: Any, let_in: LetIn, limit: Limit) -> AsyncIterator[None]:
    """A call of somebody who may make it, while there is room for it."""
    async with _errors_as_statuses(context):
        let_in(context.auth_context())
        with limit.held():
            yield


class Server:
    """Serves endpoints with health and reflection.

    `healthy` is asked every second, in a thread: health answers what it says. Health and reflection are also
    served in plain text on `health_listen`, when given, for probes that can do neither TLS nor tokens.
    `interceptors` stand around everything else, the first outermost.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        listen: str,
        healthy: Callable[[], bool],
        health_listen: str = "",
        gate: Gate | None = None,
        credentials: grpc.ServerCredentials | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        gate = gate or Gate()
        check_listen(listen, authenticated=gate.guarded)
        self._endpoints = endpoints
        self._listen = listen
        self._health_listen = health_listen
        self._healthy = healthy
        self._credentials = credentials
        self._boundary = Boundary(gate)
        self._interceptors = (*interceptors, self._boundary)
        self._health = HealthServicer()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._servers: list[Any] = []
        self._checking: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Starts serving; returns the address with the port that was chosen.

        Raises FailedPrecondition for an address that is taken or not of this machine.
        """
        server = grpc.aio.server(
            interceptors=self._interceptors,
            options=OPTIONS,
        )
        for endpoint in self._endpoints:
            endpoint.add(endpoint.servicer, server)
        names = [endpoint.name for endpoint in self._endpoints]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME],
            server,
        )
        port = _bind(server, self._listen, self._credentials)
        await server.start()
        self._servers.append(server)
        if self._health_listen:
            probes = grpc.aio.server()
            health_pb2_grpc.add_HealthServicer_to_server(self._health, probes)
            _bind(probes, self._health_listen)
            await probes.start()
            self._servers.append(probes)
        await self._say(serving=await self._ask())
        self._checking = asyncio.create_task(self._check())
        return f"{self._listen.rpartition(':')[0]}:{port}"

    async def _ask(self) -> bool:
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._asking, self._healthy)
            return await asyncio.wait_for(answer, timeout=HEALTH_TIMEOUT_S)
        except Exception:
            log.warning("the service is not healthy", exc_info=True)
            return False

    async def _check(self) -> None:
        while True:
            await self._say(serving=await self._ask())
            await asyncio.sleep(1.0)

    async def _say(self, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in ("", *(endpoint.name for endpoint in self._endpoints)):
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self) -> None:
        """Stops being ready, lets calls in flight end, then stops."""
        if self._checking is not None:
            self._checking.cancel()
        await self._health.enter_graceful_shutdown()
        self._boundary.stop_lasting()
        await asyncio.gather(*(server.stop(GRACE_S) for server in self._servers))
        self._boundary.close()
        self._asking.shutdown(wait=False, cancel_futures=True)


def _bind(server: Any, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
    try:
        if credentials is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, credentials))
    except RuntimeError as error:
        raise FailedPrecondition(f"cannot listen on {address}", reason="ADDRESS_NOT_AVAILABLE") from error
