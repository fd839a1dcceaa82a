"""Connections inside a stream: none waits for another, and the end waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from donna.rpc.tunnel import QUEUED_FRAMES, Ends, Tunnel

WAIT_S = 20.0


class Writer:
    """What a tunnel writes to; `reads` lets the other end read."""

    def __init__(self) -> None:
        self.data, self.closed, self.reads = b"", False, asyncio.Event()

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        await self.reads.wait()

    def close(self) -> None:
        self.closed = True


def made() -> Tunnel:
    return Tunnel(lambda number, data: ("data", number, data), lambda number: ("close", number))


def connection() -> tuple[asyncio.StreamReader, Writer, Callable[[], Awaitable[Ends]]]:
    reader, writer = asyncio.StreamReader(), Writer()

    async def connect() -> Any:
        return reader, writer

    return reader, writer, connect


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.001)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(WAIT_S):
            await test()

    asyncio.run(limited())


def test_bytes_are_carried_both_ways_until_one_side_closes() -> None:
    async def test() -> None:
        tunnel, frames = made(), []

        async def send() -> None:
            async for frame in tunnel.frames():
                frames.append(frame)

        sending = asyncio.create_task(send())
        reader, writer, connect = connection()
        writer.reads.set()
        tunnel.carry(1, connect)
        tunnel.arrived(1, b"before it is made")
        reader.feed_data(b"out")
        await until(lambda: frames == [("data", 1, b"out")] and writer.data == b"before it is made")
        reader.feed_eof()
        await until(lambda: frames[1:] == [("close", 1)] and writer.closed)
        _, other, connect = connection()
        other.reads.set()
        tunnel.carry(2, connect)
        tunnel.arrived(2, b"the last words")
        tunnel.closed(2)
        await until(lambda: other.closed)
        assert other.data == b"the last words"
        tunnel.end()
        await sending

    run(test)


def test_a_connection_that_does_not_read_is_closed_and_the_others_go_on() -> None:
    async def test() -> None:
        tunnel = made()
        (_, stuck, connect_stuck), (_, fine, connect_fine) = connection(), connection()
        fine.reads.set()
        tunnel.carry(1, connect_stuck)
        tunnel.carry(2, connect_fine)
        tunnel.arrived(1, b"x")
        await until(lambda: stuck.data)
        for _ in range(QUEUED_FRAMES):
            tunnel.arrived(1, b"x")
        tunnel.arrived(2, b"goes on")
        await until(lambda: fine.data == b"goes on")
        assert not stuck.closed
        tunnel.arrived(1, b"one too many")
        await until(lambda: stuck.closed)
        frames = tunnel.frames()
        assert await anext(frames) == ("close", 1)

    run(test)


def test_the_end_waits_for_nothing_however_full_the_stream() -> None:
    async def test() -> None:
        tunnel = made()
        reader, writer, connect = connection()
        tunnel.carry(1, connect)
        for n in range(QUEUED_FRAMES):
            assert await tunnel.put(n)
        reader.feed_data(b"one more")
        waiting = asyncio.create_task(tunnel.put("one more"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        tunnel.end()
        assert not await waiting
        assert not await tunnel.put("late")
        assert [frame async for frame in tunnel.frames()] == []
        await until(lambda: writer.closed)
        _, late, connect_late = connection()
        tunnel.carry(2, connect_late)
        await asyncio.sleep(0.01)
        assert not late.data
        assert not tunnel._tasks

    run(test)
