"""The device hub: agents dial in, and each becomes an address on this host's loopback.

Whoever connects to that address speaks with the agent's own ProfilerService through the agent's stream. While the
agent is away connections end at once, which gRPC tells as UNAVAILABLE; its address stays the same when it is back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from donna import durable
from donna.errors import AlreadyExists, InvalidArgument, ResourceExhausted
from donna.rpc.server import Endpoint
from donna.rpc.tunnel import Ends, Tunnel
from donna.v1 import hub_pb2 as pb
from donna.v1 import hub_pb2_grpc

log = logging.getLogger("donna.hub")

_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,30}")
HELLO_S = 10.0
HOLD_S = 600.0
"""How long a name is kept for its agent while that is away, or since the hub has started."""
MAX_AGENTS = 1000
"""Names that are known: each has a port of this host. One more takes the place of the one that is away for longest."""


class _Agent:
    """One name: its address, and the tunnel while it is attached.

    The address is taken at once but listened on only after the first attachment: before, connecting is refused.
    """

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.seen_at = time.monotonic()
        self.tunnel: Tunnel | None = None
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._server: asyncio.Server | None = None
        self._next = 0

    @property
    def address(self) -> str:
        """host:port of its ProfilerService, on this host."""
        return "{}:{}".format(*self._socket.getsockname()[:2])

    @property
    def unused(self) -> bool:
        """Whether its agent has been away for so long that the name is free."""
        return self.tunnel is None and time.monotonic() - self.seen_at > HOLD_S

    def belongs_to(self, instance: str) -> bool:
        """Whether the agent of this instance may take the name: its own, or one that nobody has used for long."""
        return self.instance in ("", instance) or self.unused

    def left(self) -> None:
        """It is not attached any more."""
        self.tunnel = None
        self.seen_at = time.monotonic()

    def close(self) -> None:
        """Gives the address back."""
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def listen(self) -> None:
        """Accepts connections from now on."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=self._socket)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel = self.tunnel
        self._next += 1
        number = self._next
        opened = pb.AttachResponse(open=pb.ConnectionOpen(connection=number))
        if tunnel is None or not await tunnel.put(opened):
            writer.close()
            return

        async def connected() -> Ends:
            return reader, writer

        tunnel.carry(number, connected)


class DeviceHub(hub_pb2_grpc.DeviceHubServiceServicer):
    """`on_agent(agent, address)` is called once for each name, with the address that it has from then on; it raises
    AlreadyExists for a name that somebody else has. `on_forgotten(agent)` is called when the name is known no more.

    Names and instances are kept in the file `known`: after a restart an agent that has not come back yet is away, not
    unknown, and its name is still its own.
    """

    def __init__(
        self, on_agent: Callable[[str, str], None], on_forgotten: Callable[[str], None], *, known: Path
    ) -> None:
        self._on_agent = on_agent
        self._on_forgotten = on_forgotten
        self._known = known
        self._agents: dict[str, _Agent] = {}
        found: dict[str, str] = json.loads(known.read_text()) if known.exists() else {}
        for name, instance in found.items():
            try:
                self._add(name, instance)
            except AlreadyExists as error:
                log.warning("agent %s is not served: %s", name, error.message)

    def attached(self) -> dict[str, bool]:
        """Every agent that is known, and whether it is here now."""
        return {name: agent.tunnel is not None for name, agent in self._agents.copy().items()}

    def _add(self, name: str, instance: str) -> _Agent:
        agent = _Agent(instance)
        try:
            self._on_agent(name, agent.address)
        except AlreadyExists:
            agent.close()
            raise
        self._agents[name] = agent
        return agent

    def _forget_one(self) -> None:
        """Makes room for a name. Raises ResourceExhausted while every agent is here or may come back to its name."""
        unused = {name: agent.seen_at for name, agent in self._agents.items() if agent.unused}
        if not unused:
            said = f"this hub knows {MAX_AGENTS} agents, and none has been away for {HOLD_S / 60:.0f} min"
            raise ResourceExhausted(said, reason="TOO_MANY_AGENTS", retry_after_s=HOLD_S)
        name = min(unused, key=unused.__getitem__)
        self._agents.pop(name).close()
        self._on_forgotten(name)
        log.info("agent %s is forgotten: it was away for longest", name)

    async def Attach(
        self, request_iterator: AsyncIterator[pb.AttachRequest], context: Any
    ) -> AsyncIterator[pb.AttachResponse]:
        hello = await self._hello(request_iterator)
        agent = await self._admit(hello)
        tunnel = Tunnel(_data, _close)
        if agent.tunnel is not None:
            agent.tunnel.end()
        agent.tunnel = tunnel
        log.info("agent %s is attached with %d devices", hello.agent, len(hello.fingerprint_sha256))
        receiving = asyncio.create_task(_receive(request_iterator, tunnel))
        try:
            yield pb.AttachResponse(welcome=pb.HubWelcome(agent=hello.agent))
            async for frame in tunnel.frames():
                yield frame  # type: ignore[misc]
        finally:
            receiving.cancel()
            tunnel.end()
            if agent.tunnel is tunnel:
                agent.left()
                log.info("agent %s is gone", hello.agent)

    async def _hello(self, requests: AsyncIterator[pb.AttachRequest]) -> pb.AgentHello:
        try:
            first = await asyncio.wait_for(anext(requests), HELLO_S)
        except (StopAsyncIteration, TimeoutError):
            raise InvalidArgument.of("hello", "must be the first frame") from None
        if first.WhichOneof("frame") != "hello":
            raise InvalidArgument.of("hello", f"must be the first frame, got {first.WhichOneof('frame')}")
        hello = first.hello
        if not _AGENT.fullmatch(hello.agent):
            said = f"must be 1 to 31 letters, digits, '-' and '_', got {hello.agent[:80]!r}"
            raise InvalidArgument.of("hello.agent", said)
        if not 16 <= len(hello.instance) <= 128:
            said = f"must have 16 to 128 characters, got {len(hello.instance)}"
            raise InvalidArgument.of("hello.instance", said)
        return hello

    async def _admit(self, hello: pb.AgentHello) -> _Agent:
        agent = self._agents.get(hello.agent)
        if agent is None:
            if len(self._agents) >= MAX_AGENTS:
                self._forget_one()
            agent = self._add(hello.agent, "")
        if not agent.belongs_to(hello.instance):
            raise AlreadyExists(
                f"the name {hello.agent} belongs to another agent; it is free when that has been away for "
                f"{HOLD_S / 60:.0f} min",
                reason="AGENT_NAME_TAKEN",
            )
        agent.seen_at = time.monotonic()
        if agent.instance != hello.instance:
            agent.instance = hello.instance
            instances = {name: each.instance for name, each in sorted(self._agents.items())}
            durable.write(self._known, json.dumps(instances).encode())
        await agent.listen()
        return agent


async def _receive(requests: AsyncIterator[pb.AttachRequest], tunnel: Tunnel) -> None:
    try:
        async for request in requests:
            kind = request.WhichOneof("frame")
            if kind == "data":
                tunnel.arrived(request.data.connection, request.data.data)
            elif kind == "close":
                tunnel.closed(request.close.connection)
    finally:
        # The agent is gone: no connection of it can go on, and the stream's other half may end.
        tunnel.end()


def _data(number: int, data: bytes) -> pb.AttachResponse:
    return pb.AttachResponse(data=pb.ConnectionData(connection=number, data=data))


def _close(number: int) -> pb.AttachResponse:
    return pb.AttachResponse(close=pb.ConnectionClose(connection=number))


def hub_endpoint(hub: DeviceHub) -> Endpoint:
    """The hub as one more endpoint of a server."""
    return Endpoint(
        add=hub_pb2_grpc.add_DeviceHubServiceServicer_to_server,
        servicer=hub,
        name=pb.DESCRIPTOR.services_by_name["DeviceHubService"].full_name,
    )
