"""Connections inside a stream: numbered byte streams, carried both ways, none of which waits for another's end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

CHUNK_BYTES = 1 << 16
QUEUED_FRAMES = 256


class Tunnel:
    """One side of a tunnel, on an event loop. `frame_data` and `frame_close` make this side's frames; what is to be
    sent waits in `outgoing`, which is bounded, so that a slow line slows the connections and no memory fills."""

    def __init__(
        self, frame_data: Callable[[int, bytes], object], frame_close: Callable[[int], object]
    ) -> None:
        self.outgoing: asyncio.Queue[object] = asyncio.Queue(QUEUED_FRAMES)
        self._frame_data, self._frame_close = frame_data, frame_close
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._pumps: set[asyncio.Task[None]] = set()

    def carry(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begins to carry a connection under `number`."""
        self._writers[number] = writer
        pump = asyncio.create_task(self._pump(number, reader))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _pump(self, number: int, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self.outgoing.put(self._frame_data(number, data))
        except OSError:
            pass
        if number in self._writers:
            self.closed(number)
            await self.outgoing.put(self._frame_close(number))

    async def arrived(self, number: int, data: bytes) -> None:
        """Bytes for a connection; those for one that is closed already are dropped."""
        writer = self._writers.get(number)
        if writer is None:
            return
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            self.closed(number)

    def closed(self, number: int) -> None:
        """Ends a connection on this side."""
        writer = self._writers.pop(number, None)
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Ends every connection: the stream is gone."""
        for pump in self._pumps:
            pump.cancel()
        for number in list(self._writers):
            self.closed(number)
