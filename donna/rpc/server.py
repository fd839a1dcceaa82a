"""The server of every service: asyncio, so that watchers never starve other calls.

A servicer's unary methods are plain functions; they run in a pool of threads. Streaming methods are
asynchronous. Whatever they raise becomes a typed status here, and nowhere else: a defect of ours is INTERNAL with
no detail on the wire and a traceback in the log.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from donna.errors import DonnaError, Internal
from donna.rpc import authentication
from donna.rpc.status import to_status

log = logging.getLogger("donna.rpc")

MAX_MESSAGE_BYTES = 16 << 20
MAX_CONCURRENT_CALLS = 1000
UNARY_THREADS = 16
GRACE_S = 5.0
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A servicer and how to add it: `add` is the generated add_..._to_server, `name` the full service name."""

    add: Callable[[Any, Any], None]
    servicer: Any
    name: str


class Boundary(grpc.aio.ServerInterceptor):
    """Between the wire and the servicers: authentication, threads for unary calls, errors to statuses."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._pool = ThreadPoolExecutor(UNARY_THREADS, thread_name_prefix="rpc")

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith("/grpc."):
            return handler
        metadata = dict(details.invocation_metadata)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                functools.partial(self._stream, handler.unary_stream, metadata),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                functools.partial(self._single, handler.stream_unary, metadata),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            functools.partial(self._single, handler.unary_unary, metadata),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _single(self, method: Any, metadata: dict[str, str], request: Any, context: Any) -> Message:
        try:
            self._authenticate(metadata)
            if inspect.iscoroutinefunction(method):
                return await method(request, context)
            return await asyncio.get_running_loop().run_in_executor(self._pool, method, request, context)
        except Exception as error:
            await _abort(context, error)
            raise  # not reached: abort raises

    async def _stream(
        self, method: Any, metadata: dict[str, str], request: Any, context: Any
    ) -> AsyncIterator[Message]:
        try:
            self._authenticate(metadata)
            async for response in method(request, context):
                yield response
        except Exception as error:
            await _abort(context, error)

    def _authenticate(self, metadata: dict[str, str]) -> None:
        if self._token:
            authentication.check_token(metadata, self._token)


async def _abort(context: Any, error: Exception) -> None:
    if isinstance(error, (grpc.aio.AbortError, grpc.aio.UsageError)):
        raise error
    if not isinstance(error, DonnaError):
        log.error("a call failed by a defect", exc_info=error)
        error = Internal("the service failed by a defect; its log has the details")
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, status.trailing_metadata)


class Server:
    """Serves endpoints with health and reflection.

    `healthy` is asked every second, in a thread: health answers what it says. Health and reflection are also
    served in plain text on `health_listen`, when given, for probes that can do neither TLS nor tokens.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        listen: str,
        healthy: Callable[[], bool],
        health_listen: str = "",
        token: str = "",
        credentials: grpc.ServerCredentials | None = None,
        client_certificates: bool = False,
    ) -> None:
        authentication.check_listen(listen, authenticated=bool(token) or client_certificates)
        self._endpoints = endpoints
        self._listen = listen
        self._health_listen = health_listen
        self._healthy = healthy
        self._token = token
        self._credentials = credentials
        self._health = HealthServicer()
        self._servers: list[Any] = []
        self._checking: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Starts serving; returns the address with the port that was chosen."""
        server = grpc.aio.server(
            interceptors=[Boundary(self._token)],
            options=OPTIONS,
            maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS,
        )
        for endpoint in self._endpoints:
            endpoint.add(endpoint.servicer, server)
        names = [endpoint.name for endpoint in self._endpoints]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME],
            server,
        )
        if self._credentials is None:
            port = server.add_insecure_port(self._listen)
        else:
            port = server.add_secure_port(self._listen, self._credentials)
        await server.start()
        self._servers.append(server)
        if self._health_listen:
            probes = grpc.aio.server()
            health_pb2_grpc.add_HealthServicer_to_server(self._health, probes)
            probes.add_insecure_port(self._health_listen)
            await probes.start()
            self._servers.append(probes)
        await self._say(serving=await self._ask())
        self._checking = asyncio.create_task(self._check())
        return f"{self._listen.rpartition(':')[0]}:{port}"

    async def _ask(self) -> bool:
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._healthy), timeout=5.0)
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
        for server in self._servers:
            await server.stop(GRACE_S)
