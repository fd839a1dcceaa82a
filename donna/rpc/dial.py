"""The agent's end of a hub: dials out, keeps the stream open, and connects what comes through it to itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import grpc

from donna.rpc.authentication import HEADER
from donna.rpc.tunnel import Tunnel
from donna.v1 import hub_pb2 as pb
from donna.v1 import hub_pb2_grpc

log = logging.getLogger("donna.hub")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 10.0
"""A stream that lasted so long after its welcome was a good one: the next pause is short again."""
_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


async def attach_for_ever(
    hub: str,
    hello: Callable[[], pb.AgentHello],
    own_address: str,
    *,
    token: str = "",
    credentials: grpc.ChannelCredentials | None = None,
) -> None:
    """Keeps an agent attached to the hub at `hub` until cancelled; connections go on to `own_address`.

    Reconnects with growing pauses, shaken a little so that a lab full of agents does not come back in step.
    """
    pause_s = FIRST_PAUSE_S
    loop = asyncio.get_running_loop()
    while True:
        attached = _Attached()
        try:
            greeting = await asyncio.to_thread(hello)
            await _attach(hub, greeting, own_address, token, credentials, attached)
            reason = "the hub ended the stream"
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
        except Exception:
            # An agent that stopped dialling would be lost to its lab until somebody walks there.
            log.exception("dialling the hub failed by a defect")
            reason = "a defect"
        steady = attached.since is not None and loop.time() - attached.since > STEADY_S
        pause_s = FIRST_PAUSE_S if steady else min(pause_s * 2, LONGEST_PAUSE_S)
        log.warning("not attached to the hub %s (%s); again in %.1f s", hub, reason, pause_s)
        await asyncio.sleep(pause_s * random.uniform(0.7, 1.3))  # noqa: S311 - shakes a pause, guards nothing


@dataclass
class _Attached:
    """`since` is the loop's time of the hub's welcome; None before it."""

    since: float | None = None


async def _attach(
    hub: str,
    hello: pb.AgentHello,
    own_address: str,
    token: str,
    credentials: grpc.ChannelCredentials | None,
    attached: _Attached,
) -> None:
    channel = (
        grpc.aio.secure_channel(hub, credentials, options=_OPTIONS)
        if credentials is not None
        else grpc.aio.insecure_channel(hub, options=_OPTIONS)
    )
    tunnel = Tunnel(_data, _close)
    host, _, port = own_address.rpartition(":")
    connect = partial(asyncio.open_connection, host.strip("[]"), int(port))

    async def frames() -> AsyncIterator[pb.AttachRequest]:
        yield pb.AttachRequest(hello=hello)
        async for frame in tunnel.frames():
            yield frame  # type: ignore[misc]

    metadata = ((HEADER, f"Bearer {token}"),) if token else ()
    async with channel:
        try:
            async for response in hub_pb2_grpc.DeviceHubServiceStub(channel).Attach(
                frames(), metadata=metadata
            ):
                kind = response.WhichOneof("frame")
                if kind == "welcome":
                    attached.since = asyncio.get_running_loop().time()
                    log.info("attached to the hub as %s", response.welcome.agent)
                elif kind == "open":
                    tunnel.carry(response.open.connection, connect)
                elif kind == "data":
                    tunnel.arrived(response.data.connection, response.data.data)
                elif kind == "close":
                    tunnel.closed(response.close.connection)
        finally:
            tunnel.end()


def _data(number: int, data: bytes) -> pb.AttachRequest:
    return pb.AttachRequest(data=pb.ConnectionData(connection=number, data=data))


def _close(number: int) -> pb.AttachRequest:
    return pb.AttachRequest(close=pb.ConnectionClose(connection=number))
