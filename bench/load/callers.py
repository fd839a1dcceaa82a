"""Clients and watchers, each a connection of its own, and those who give the services something to do."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from bench.load.targets import Target
from donna.errors import DonnaError

AT_ONCE, BETWEEN_S = 50, 0.1
"""Connections begin in batches: a thousand in the same millisecond is another test."""
AGAIN_S = 1.0
ORDER_S = 20.0


def _channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


async def call_for_ever(target: Target, seed: int, think_s: float) -> None:
    """One client: one call after the other, with `think_s` seconds in between on average."""
    choose = random.Random(seed)  # noqa: S311 - draws load, guards nothing
    weights = [call.weight for call in target.calls]
    async with _channel(target.address) as channel:
        while True:
            await asyncio.sleep(think_s * choose.uniform(0.0, 2.0))
            (call,) = choose.choices(target.calls, weights)
            started = time.perf_counter()
            status, details = "OK", ""
            try:
                await call.send(channel, seed)
            except grpc.aio.AioRpcError as error:
                status, details = error.code().name, error.details() or ""
            target.seen.answered(call.name, started, status, call.expects, details)


async def watch_for_ever(target: Target) -> None:
    """One watcher: counts what it hears, and watches again when a watch has ended."""
    rpc, request = target.watch
    async with _channel(target.address) as channel:
        method = channel.unary_stream(rpc, request_serializer=lambda m: m.SerializeToString())
        while True:
            target.seen.watches_begun += 1
            try:
                async for _ in method(request, timeout=24 * 3600.0, wait_for_ready=True):
                    target.seen.heard += 1
                target.seen.watches_ended_clean += 1
            except grpc.aio.AioRpcError as error:
                target.seen.broken(error)
            await asyncio.sleep(AGAIN_S)


async def tick_for_ever(found: Sequence[Target], tick_s: float) -> None:
    """The watched jobs change once in `tick_s` seconds."""
    while True:
        await asyncio.sleep(tick_s)
        for target in found:
            await asyncio.to_thread(target.tick)


async def order_for_ever(found: Sequence[Target]) -> None:
    """Every now and then a small new job of each service, so that workers have work."""
    for seed in range(1_000, 1_000_000):
        for target in found:
            await asyncio.sleep(ORDER_S / len(found))
            try:
                await asyncio.to_thread(target.order, seed)
            except DonnaError as error:
                target.seen.trouble("order", type(error).__name__, error.message)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """`work` goes on for ever beside what is in the context; that it ended before is raised then."""
    task = asyncio.create_task(work)
    try:
        yield
        if task.done():
            task.result()  # a defect of this program, and no figure of a service
    finally:
        task.cancel()


@asynccontextmanager
async def load(
    found: Sequence[Target], *, clients: int, watchers: int, think_s: float
) -> AsyncIterator[None]:
    """So many clients and watchers of each target, all of them begun, until the context ends."""
    tasks: list[asyncio.Task[None]] = []
    try:
        for i in range(max(clients, watchers)):
            for target in found:
                if i < watchers:
                    tasks.append(asyncio.create_task(watch_for_ever(target)))
                if i < clients:
                    tasks.append(asyncio.create_task(call_for_ever(target, i, think_s)))
            if len(tasks) % AT_ONCE < len(found) * 2:
                await asyncio.sleep(BETWEEN_S)
        yield
        failed = [task for task in tasks if task.done()]
        for task in failed:
            task.result()  # a defect of this program, and no figure of a service
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
