"""Connections inside a stream: numbered byte streams, carried both ways, none of which waits for another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

CHUNK_BYTES = 1 << 16
QUEUED_FRAMES = 256
"""What waits for the stream, all connections together, and what waits for each connection's reader, at most."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Arriving = asyncio.Queue[bytes | None]


class Tunnel:
    """One side of a tunnel, on an event loop. `frame_data` and `frame_close` make this side's frames.

    A slow stream slows the connections, and no memory fills. A connection whose reader does not read is closed when
    its queue is full: the others must not wait for it.
    """

    def __init__(
        self, frame_data: Callable[[int, bytes], object], frame_close: Callable[[int], object]
    ) -> None:
        self._frame_data, self._frame_close = frame_data, frame_close
        self._outgoing: deque[object] = deque()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._open: dict[int, tuple[Arriving, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    async def frames(self) -> AsyncIterator[object]:
        """What is to be sent, until the tunnel ends."""
        while not self._ended:
            if self._outgoing:
                frame = self._outgoing.popleft()
                self._room.set()
                yield frame
            else:
                self._news.clear()
                await self._news.wait()

    async def put(self, frame: object) -> bool:
        """Queues a frame once there is room for it; False when the tunnel has ended and nobody will send it."""
        while len(self._outgoing) >= QUEUED_FRAMES and not self._ended:
            self._room.clear()
            await self._room.wait()
        if not self._ended:
            self._outgoing.append(frame)
            self._news.set()
        return not self._ended

    def carry(self, number: int, connect: Callable[[], Awaitable[Ends]]) -> None:
        """Carries a connection under `number`; what arrives before `connect` has made it waits."""
        arriving: Arriving = asyncio.Queue(QUEUED_FRAMES)
        self._open[number] = arriving, self._start(self._carry(number, connect, arriving))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._ended:
            task.cancel()
        return task

    async def _carry(self, number: int, connect: Callable[[], Awaitable[Ends]], arriving: Arriving) -> None:
        with suppress(OSError):
            reader, writer = await connect()
            feeding = asyncio.create_task(_feed(arriving, writer))
            try:
                while data := await reader.read(CHUNK_BYTES):
                    await self.put(self._frame_data(number, data))
            finally:
                feeding.cancel()
                writer.close()
        if self._open.pop(number, None) is not None:  # else the other side has said that it is closed
            await self.put(self._frame_close(number))

    def arrived(self, number: int, data: bytes) -> None:
        """Bytes for a connection; those for one that is closed already are dropped."""
        if number not in self._open:
            return
        arriving, task = self._open[number]
        if arriving.full():
            del self._open[number]
            task.cancel()
            self._start(self._say_closed(number))
        else:
            arriving.put_nowait(data)

    async def _say_closed(self, number: int) -> None:
        await self.put(self._frame_close(number))

    def closed(self, number: int) -> None:
        """The other side has ended a connection: what arrived before still goes to its reader."""
        if number in self._open:
            arriving, task = self._open.pop(number)
            if arriving.full():
                task.cancel()
            else:
                arriving.put_nowait(None)

    def end(self) -> None:
        """The stream is gone: ends every connection, and `frames`. Does not wait for anything."""
        self._ended = True
        self._open.clear()
        for task in list(self._tasks):
            task.cancel()
        self._news.set()
        self._room.set()


async def _feed(arriving: Arriving, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while (data := await arriving.get()) is not None:
            writer.write(data)
            await writer.drain()
    writer.close()  # which ends the reading half as well
