"""100 clients and 200 watchers on each of the five services, then a soak of all at once. Prints JSON.

Each client is a connection of its own that calls again and again: lists, reads, reads of what does not exist, and
requests that are refused. The watchers of a service watch one job that changes once a second. Measured are the
latencies of the clients without and with the watchers, errors by status, and, in the soak, the memory of each service.

    python -m bench.load --seconds 10 --soak-minutes 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import psutil
from sqlalchemy import text

from bench.predict import library
from donna.client import KINDS, Client
from donna.jobs import JobStore
from donna.jobs.database import open_database
from donna.local import services
from donna.rpc.messages import dict_to_struct
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, predictor_pb2, profiler_pb2, searcher_pb2

PERCENTILES = (50, 95, 99)
TICK_S = 1.0
ASLEEP_S = 600.0
REFERENCE = common_pb2.Reference(
    provider="small_cnn",
    arguments=dict_to_struct({"in_channels": 1, "num_classes": 10, "widths": [8, 8, 8, 8]}),
)
DATASET = common_pb2.Dataset(
    provider="digits", split=common_pb2.DatasetSplit(training=400, quality=100, validation=100, test=100)
)


@dataclass(kw_only=True)
class Target:
    """One service under load: its calls, and the job that is watched."""

    service: str
    address: str
    calls: Sequence[tuple[str, Any]]
    watch: tuple[str, Any]
    store: JobStore
    job: str
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    heard: int = 0

    def figures(self) -> dict[str, Any]:
        """What the clients saw since the last time this was asked."""
        found = np.array(self.latencies_ms or [0.0])
        told = {
            "calls": len(self.latencies_ms),
            "latency_ms": {f"p{p}": round(float(np.percentile(found, p)), 2) for p in PERCENTILES},
            "statuses": dict(self.statuses.most_common()),
            "watch_messages": self.heard,
        }
        self.latencies_ms, self.statuses, self.heard = [], Counter(), 0
        return told

    def tick(self) -> None:
        """Changes the watched job, as progress does, and keeps its task asleep."""
        told = {"job": self.job, "at": time.time() + ASLEEP_S}
        with self.store.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET revision = revision + 1 WHERE name = :job"), told)
            connection.execute(text("UPDATE tasks SET not_before = :at WHERE job = :job"), told)


def targets(client: Client, state: Path) -> list[Target]:
    """The five services, each with a job that waits for ever."""
    manifest = client.upload(library(3, 4).to_json())
    identity = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Relu", ["x"], ["y"])],
            "identity",
            [onnx.helper.make_tensor_value_info("x", 1, ["N", 4])],
            [onnx.helper.make_tensor_value_info("y", 1, ["N", 4])],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    ).SerializeToString()
    client.devices.measure("local", identity)
    samples = [
        predictor_pb2.AccuracySample(
            architecture=common_pb2.Architecture(choices=[i % 4, i // 4, 0]), accuracy=0.5 + i / 40
        )
        for i in range(12)
    ]
    specs: dict[str, Any] = {
        "distiller": distiller_pb2.BlockLibrarySpec(
            reference=REFERENCE,
            dataset=DATASET,
            blocks=[distiller_pb2.BlockSpace(name="stage2", options=["reference()"])],
            recipe=distiller_pb2.DistillationRecipe(epochs=1),
        ),
        "finetuner": finetuner_pb2.FinetuneSpec(
            reference=REFERENCE,
            dataset=DATASET,
            networks=[finetuner_pb2.Network(reference=True)],
            recipe=finetuner_pb2.FinetuneRecipe(epochs=1),
        ),
        "predictor": predictor_pb2.PredictorSpec(library=manifest, samples=samples),
        "searcher": searcher_pb2.SearchSpec(
            library=manifest,
            objectives=[
                searcher_pb2.Objective(metric=common_pb2.METRIC_MACS),
                searcher_pb2.Objective(metric=common_pb2.METRIC_PARAMETERS),
            ],
            population=4,
            generations=1,
        ),
    }
    found = []
    for collection, kind in KINDS.items():
        name = client.create(specs[kind.service]).name
        stem = f"/donna.v1.{kind.service.capitalize()}Service"
        request = {
            verb: getattr(kind.messages, f"{verb}{kind.resource}Request")
            for verb in ("Get", "Watch", "Create")
        }
        calls = [
            (f"{stem}/List{kind.plural}", getattr(kind.messages, f"List{kind.plural}Request")(page_size=10)),
            (f"{stem}/Get{kind.resource}", request["Get"](name=name)),
            (f"{stem}/Get{kind.resource}", request["Get"](name=f"{collection}/0")),
            (f"{stem}/Create{kind.resource}", request["Create"]()),
        ]
        watch = (f"{stem}/Watch{kind.resource}", request["Watch"](name=name))
        address = getattr(client.endpoints, kind.service)
        found.append(_waiting(state, kind.service, address, calls, watch, name))
    stem = "/donna.v1.ProfilerService"
    name = (
        client.profilers["local"]
        .ListMeasurements(profiler_pb2.ListMeasurementsRequest())
        .measurements[0]
        .name
    )
    calls = [
        (f"{stem}/ListDevices", profiler_pb2.ListDevicesRequest()),
        (f"{stem}/ListMeasurements", profiler_pb2.ListMeasurementsRequest(page_size=10)),
        (f"{stem}/GetMeasurement", profiler_pb2.GetMeasurementRequest(name=name)),
        (f"{stem}/FindMissingModels", profiler_pb2.FindMissingModelsRequest(sha256=[manifest.sha256])),
        (f"{stem}/CreateMeasurement", profiler_pb2.CreateMeasurementRequest()),
    ]
    watch = (f"{stem}/WatchMeasurement", profiler_pb2.WatchMeasurementRequest(name=name))
    found.append(_waiting(state, "profiler", client.endpoints.profilers["local"], calls, watch, name))
    return found


def _waiting(
    state: Path,
    service: str,
    address: str,
    calls: Sequence[tuple[str, Any]],
    watch: tuple[str, Any],
    name: str,
) -> Target:
    """Puts the job back, or to sleep, so that it can be watched for as long as the load lasts."""
    store = JobStore(open_database(f"sqlite:///{state / service}.db"))
    late = {"job": name, "at": time.time() + ASLEEP_S}
    with store.engine.begin() as connection:
        for table, values in (
            ("tasks", "state = 'QUEUED', fence = fence + 1, not_before = :at WHERE job = :job"),
            ("jobs", "state = 'QUEUED', ended_at = NULL WHERE name = :job AND :at > 0"),
        ):
            connection.execute(text(f"UPDATE {table} SET {values}"), late)  # noqa: S608 - words of this file
    return Target(service=service, address=address, calls=calls, watch=watch, store=store, job=name)


def _channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


async def call_for_ever(target: Target, seed: int, pause_s: float) -> None:
    """One client: a connection of its own, one call after the other."""
    choose = random.Random(seed)  # noqa: S311 - draws load, guards nothing
    async with _channel(target.address) as channel:
        methods = [
            (channel.unary_unary(rpc, request_serializer=lambda m: m.SerializeToString()), request)
            for rpc, request in target.calls
        ]
        while True:
            method, request = choose.choice(methods)
            started = time.perf_counter()
            try:
                await method(request, timeout=30.0)
                status = "OK"
            except grpc.aio.AioRpcError as error:
                status = error.code().name
            target.latencies_ms.append(1000 * (time.perf_counter() - started))
            target.statuses[status] += 1
            await asyncio.sleep(pause_s * choose.uniform(0.5, 1.5))


async def watch_for_ever(target: Target) -> None:
    """One watcher: counts what it hears."""
    rpc, request = target.watch
    async with _channel(target.address) as channel:
        method = channel.unary_stream(rpc, request_serializer=lambda m: m.SerializeToString())
        async for _ in method(request, timeout=24 * 3600.0):
            target.heard += 1


async def ticking(found: Sequence[Target]) -> None:
    """The watched jobs change once a second."""
    while True:
        await asyncio.sleep(TICK_S)
        for target in found:
            await asyncio.to_thread(target.tick)


async def under_load(
    found: Sequence[Target], *, clients: int, watchers: int, seconds: float, pause_s: float
) -> list[dict[str, Any]]:
    """Load for some seconds, of which the first fifth warms up; what the clients of each target saw."""
    tasks = [asyncio.create_task(call_for_ever(t, i, pause_s)) for t in found for i in range(clients)]
    tasks += [asyncio.create_task(watch_for_ever(t)) for t in found for _ in range(watchers)]
    tasks.append(asyncio.create_task(ticking(found)))
    await asyncio.sleep(seconds / 5)
    for target in found:
        target.figures()
    await asyncio.sleep(seconds)
    figures = [target.figures() for target in found]
    failed = [task for task in tasks if task.done() and task.exception() is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for figure in figures:
        figure["broken_clients_and_watchers"] = len(failed)
    return figures


def memory_mb(pids: dict[str, int]) -> dict[str, float]:
    """Resident memory of each service's process, without its workers."""
    return {service: psutil.Process(pid).memory_info().rss / 1e6 for service, pid in pids.items()}


def slope_mb_per_hour(times_s: Sequence[float], memory: Sequence[float]) -> float:
    """Least squares over all but the first fifth, in which caches fill."""
    start = len(times_s) // 5
    return round(float(np.polyfit(np.array(times_s[start:]) / 3600, memory[start:], 1)[0]), 2)


async def soak(found: Sequence[Target], pids: dict[str, int], minutes: float) -> dict[str, Any]:
    """All services at once under a load that they bear for long, memory looked at every five seconds."""
    load = asyncio.create_task(under_load(found, clients=20, watchers=200, seconds=minutes * 60, pause_s=0.5))
    times, memory = [], []
    started = time.monotonic()
    while not load.done():
        times.append(time.monotonic() - started)
        memory.append(memory_mb(pids))
        await asyncio.sleep(5.0)
    told = {}
    for target, figures in zip(found, await load, strict=True):
        series = [each[target.service] for each in memory]
        told[target.service] = figures | {
            "memory_mb": {"first": round(series[0], 1), "last": round(series[-1], 1)},
            "slope_mb_per_hour": slope_mb_per_hour(times, series),
        }
    return told


def listeners(found: Sequence[Target]) -> dict[str, int]:
    """The process of each service, by the port that it listens on."""
    ports = {int(target.address.rpartition(":")[2]): target.service for target in found}
    connections = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return {ports[c.laddr.port]: c.pid for c in connections if c.laddr.port in ports and c.pid}


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--soak-minutes", type=float, default=10.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="donna-load-") as folder, services(folder) as client:
        found = targets(client, Path(folder))
        figures: dict[str, Any] = {}
        for target in found:
            load = {"clients": told.clients, "seconds": told.seconds, "pause_s": 0.0}
            alone = asyncio.run(under_load([target], watchers=0, **load))[0]
            watched = asyncio.run(under_load([target], watchers=told.watchers, **load))[0]
            figures[target.service] = {"clients_alone": alone, "with_watchers": watched}
        soaked = {}
        if told.soak_minutes:
            soaked = asyncio.run(soak(found, listeners(found), told.soak_minutes))
    machine = {"machine": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({**machine, **vars(told), "services": figures, "soak": soaked}, indent=2))


if __name__ == "__main__":
    main()
