"""The profilers through the searcher: whoever reaches the searcher reaches every device that it knows.

Calls of ProfilerService go on, as the bytes that they are, to the profiler that their metadata names, with what is
left of their deadline; its answer or its status comes back. Whoever calls has passed this server's own gate, and the
profiler sees the searcher's token instead of the caller's.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from google.protobuf.descriptor import MethodDescriptor

from donna.errors import DonnaError, FailedPrecondition, InvalidArgument, Unavailable
from donna.rpc.channel import DEADLINE_S, PROFILER, WATCH_DEADLINE_S, Peer
from donna.rpc.server import Endpoint
from donna.v1 import profiler_pb2
from services.searcher.profilers import Profilers

SERVICE = profiler_pb2.DESCRIPTOR.services_by_name["ProfilerService"]
_DETAILS = "grpc-status-details-bin"
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class Gateway:
    """Forwards calls on the server's event loop; one channel to each profiler, opened when first needed."""

    def __init__(self, profilers: Profilers) -> None:
        self._profilers = profilers
        self._channels: dict[str, tuple[Peer, grpc.aio.Channel]] = {}

    def handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler:
        """Of one method, of bytes: nothing is read on the way."""
        kinds = {False: "unary", True: "stream"}
        kind = f"{kinds[method.client_streaming]}_{kinds[method.server_streaming]}"
        forward = self._stream if method.server_streaming else self._one
        make: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        path = f"/{SERVICE.full_name}/{method.name}"
        return make(functools.partial(forward, kind, path), request_deserializer=bytes)  # type: ignore[no-any-return]

    async def _one(self, kind: str, path: str, request: Any, context: Any) -> bytes:
        name, call = self._call(kind, path, request, context)
        try:
            return await call  # type: ignore[no-any-return]
        except grpc.aio.AioRpcError as error:
            await _pass_on(name, error, context)
        except asyncio.CancelledError:
            _interrupted(name)

    async def _stream(self, kind: str, path: str, request: Any, context: Any) -> AsyncIterator[bytes]:
        name, call = self._call(kind, path, request, context)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            await _pass_on(name, error, context)
        except asyncio.CancelledError:
            _interrupted(name)
        finally:
            call.cancel()

    def _call(self, kind: str, path: str, request: Any, context: Any) -> tuple[str, Any]:
        metadata = dict(context.invocation_metadata() or ())
        name = str(metadata.get(PROFILER, ""))
        if not name:
            raise InvalidArgument.of(PROFILER, "the call's metadata must name a profiler of this searcher")
        peer = self._profilers.peer(name)
        left_s = context.time_remaining()
        most_s = WATCH_DEADLINE_S if "stream" in kind else DEADLINE_S
        timeout_s = most_s if left_s is None else min(left_s, WATCH_DEADLINE_S)
        method = getattr(self._channel(name, peer), kind)(path)
        return name, method(request, timeout=timeout_s, metadata=peer.metadata)

    def _channel(self, name: str, peer: Peer) -> grpc.aio.Channel:
        known = self._channels.get(name)
        if known is None or known[0] != peer:
            self._channels[name] = (peer, peer.open_async())
            if known is not None:  # the profiler has moved: where it was nobody answers any more
                self._closing = asyncio.create_task(known[1].close())
        return self._channels[name][1]


async def _pass_on(name: str, error: grpc.aio.AioRpcError, context: Any) -> NoReturn:
    """The profiler's own status as it is; one of the connection as what it means to the caller."""
    details = tuple((key, value) for key, value in error.trailing_metadata() or () if key == _DETAILS)
    code = error.code()
    if code in _REFUSED:
        raise FailedPrecondition(
            f"profiler {name} does not let this searcher in: {error.details()}", reason="PROFILER_REFUSES"
        )
    if code in _GONE and not details:
        raise _away(name)
    await context.abort(code, error.details() or "", details)
    raise AssertionError  # abort has raised


def _interrupted(name: str) -> NoReturn:
    """Raises Unavailable when the channel was closed under a call; the caller's own cancellation goes on."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    raise _away(name)


def _away(name: str) -> DonnaError:
    return Unavailable(f"profiler {name} does not answer", reason="PROFILER_AWAY", retry_after_s=2.0)


def gateway_endpoint(profilers: Profilers) -> Endpoint:
    """ProfilerService as one more endpoint of the searcher's server."""

    def add(gateway: Gateway, server: Any) -> None:
        handlers = {method.name: gateway.handler(method) for method in SERVICE.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))

    return Endpoint(add=add, servicer=Gateway(profilers), name=SERVICE.full_name)
