"""The server of every service: asyncio, so that watchers never starve other calls.

A servicer's unary methods are plain functions; they run in a pool of threads. Streaming methods are
asynchronous. Whatever they raise becomes a typed status in donna.rpc.boundary, and nowhere else: a defect of ours is
INTERNAL with no detail on the wire and a traceback in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from donna.errors import FailedPrecondition
from donna.rpc.authentication import Gate, check_listen
from donna.rpc.boundary import Boundary
from donna.rpc.limits import MAX_MESSAGE_BYTES
from donna.trouble import Trouble

log = logging.getLogger("donna.rpc")

GRACE_S = 5.0
HEALTH_TIMEOUT_S = 5.0
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Connections cost files of this process, and need no token: none is kept that nobody uses.
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.server_handshake_timeout_ms", 20_000),
)
# Whoever reaches the port of probes needs no token for it and must not be able to keep others from asking. So calls are
# few for each connection, not for all of them together; and a connection that a probe has no use for soon ends, with
# whatever calls it holds open.
PROBE_OPTIONS = (
    ("grpc.max_receive_message_length", 4 << 10),
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 10),
    ("grpc.max_connection_age_ms", 30_000),
    ("grpc.max_connection_age_grace_ms", 5_000),
    ("grpc.server_handshake_timeout_ms", 5_000),
)
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A servicer and how to add it: `add` is the generated add_..._to_server, `name` the full service name."""

    add: Callable[[Any, Any], None]
    servicer: Any
    name: str


class Server:
    """Serves endpoints with health and reflection.

    `healthy` is asked every second, in a thread: health answers what it says, and not serving before the first answer.
    The health check alone is also served in plain text on `health_listen`, when given, for probes that can do neither
    TLS nor tokens.
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
        self._trouble = Trouble(log, "the service is not healthy")
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
            [*names, HEALTH, reflection.SERVICE_NAME],
            server,
        )
        await self._say(serving=False)
        port = _bind(server, self._listen, self._credentials)
        await server.start()
        self._servers.append(server)
        if self._health_listen:
            probes = grpc.aio.server(options=PROBE_OPTIONS)
            probes.add_generic_rpc_handlers((_checks(self._health),))
            _bind(probes, self._health_listen)
            await probes.start()
            self._servers.append(probes)
        await self._say(serving=await self._ask())
        self._checking = asyncio.create_task(self._check())
        return f"{self._listen.rpartition(':')[0]}:{port}"

    async def _ask(self) -> bool:
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._asking, self._healthy)
            healthy = await asyncio.wait_for(answer, timeout=HEALTH_TIMEOUT_S)
        except Exception as error:
            self._trouble.seen(error)
            return False
        self._trouble.over()
        return healthy

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


def _checks(health: HealthServicer) -> grpc.GenericRpcHandler:
    """The check of health without its watch, which would last for as long as the caller likes."""
    check = grpc.unary_unary_rpc_method_handler(
        health.Check,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(HEALTH, {"Check": check})


def _bind(server: Any, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
    try:
        if credentials is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, credentials))
    except RuntimeError as error:
        raise FailedPrecondition(f"cannot listen on {address}", reason="ADDRESS_NOT_AVAILABLE") from error
