"""100 clients and 200 watchers on each of the five services, then a soak of all at once. Prints JSON.

Each client is a connection of its own that calls again and again, see bench/load/targets.py. The watchers of a service
watch one job that changes once a second. Measured are the latencies of the clients without and with the watchers,
errors by status and by their words, and, in the soak, the memory of each service and its workers. Whatever nobody
asked for is listed under `troubles`; then the logs of the services are kept.

    python -m bench.load --seconds 10 --soak-minutes 10
    python -m bench.load --only profiler --soak-minutes 30
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.load.callers import beside, load, order_for_ever, tick_for_ever
from bench.load.memory import listeners, memory_mb, slope_mb_per_hour
from bench.load.seen import Seen
from bench.load.targets import Target, targets
from donna.local import SERVICES, services
from donna.service import allow_many_connections

TICK_S, SOAK_TICK_S = 1.0, 2.0
LOOK_S = 5.0
THINK_S = 5.0
"""Of a client in the soak, on average: the load is to be one that the services bear for long."""
KEPT = Path("runs/bench-load-logs")


async def under_load(target: Target, *, clients: int, watchers: int, seconds: float) -> dict[str, Any]:
    """Load without a pause for some seconds, after a fifth of them to warm up; what was seen of it."""
    async with load([target], clients=clients, watchers=watchers, think_s=0.0):
        await asyncio.sleep(seconds / 5)
        target.seen = Seen(watches_begun=target.seen.watches_begun, troubles=target.seen.troubles)
        await asyncio.sleep(seconds)
        figures = target.seen.figures()
    target.seen = Seen()
    return figures


async def soak(found: Sequence[Target], *, clients: int, watchers: int, minutes: float) -> dict[str, Any]:
    """All services at once under a load that they bear for long, and some work; memory is looked at all the while."""
    pids = listeners({target.service: target.address for target in found})
    times: list[float] = []
    memory: dict[str, list[tuple[float, float]]] = {service: [] for service in pids}
    started = time.monotonic()
    async with (
        load(found, clients=clients, watchers=watchers, think_s=THINK_S),
        beside(order_for_ever(found)),
    ):
        while time.monotonic() - started < minutes * 60:
            times.append(time.monotonic() - started)
            for service, pid in pids.items():
                memory[service].append(await asyncio.to_thread(memory_mb, pid))
            await asyncio.sleep(LOOK_S)
        told = {target.service: target.seen.figures() for target in found}
    for service, series in memory.items():
        for who, column in (("service", 0), ("workers", 1)):
            column_mb = [both[column] for both in series]
            told[service][f"{who}_memory_mb"] = {
                "first": round(column_mb[0], 1),
                "last": round(column_mb[-1], 1),
                "most": round(max(column_mb), 1),
                "slope_per_hour": slope_mb_per_hour(times, column_mb),
            }
    return told


async def measure(found: Sequence[Target], options: argparse.Namespace) -> dict[str, Any]:
    """Each service alone, then all together."""
    figures: dict[str, Any] = {}
    async with beside(tick_for_ever(found, TICK_S)):
        for target in found:
            figures[target.service] = {
                name: await under_load(
                    target, clients=options.clients, watchers=watchers, seconds=options.seconds
                )
                for name, watchers in (("clients_alone", 0), ("with_watchers", options.watchers))
            }
    soaked = {}
    if options.soak_minutes:
        async with beside(tick_for_ever(found, SOAK_TICK_S)):
            soaked = await soak(
                found, clients=options.clients, watchers=options.watchers, minutes=options.soak_minutes
            )
    return {"services": figures, "soak": soaked}


def _troubled(figures: dict[str, Any]) -> bool:
    """Whether any of what was seen has troubles."""
    alone = [seen for phases in figures["services"].values() for seen in phases.values()]
    return any(seen["troubles"] for seen in (*alone, *figures["soak"].values()))


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--soak-minutes", type=float, default=10.0)
    parser.add_argument("--only", choices=SERVICES, nargs="+", default=SERVICES, help="services under load")
    options = parser.parse_args()
    allow_many_connections()
    # Workers stay between jobs, so that what they gather would show.
    os.environ |= {f"DONNA_{service}_WORKER_IDLE_S": "60" for service in ("DISTILLER", "FINETUNER")}
    with tempfile.TemporaryDirectory(prefix="donna-load-") as folder:
        with services(folder) as client:
            found = [each for each in targets(client, Path(folder)) if each.service in options.only]
            figures = asyncio.run(measure(found, options))
        logs = {path.stem: path.read_text(errors="replace") for path in (Path(folder) / "logs").iterdir()}
        figures["tracebacks_in_logs"] = {name: log.count("Traceback") for name, log in logs.items()}
        if _troubled(figures) or "Traceback" in "".join(logs.values()):
            shutil.copytree(Path(folder) / "logs", KEPT, dirs_exist_ok=True)
            sys.stderr.write(f"something was not as it should be; the logs are in {KEPT}\n")
    machine = {"machine": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
    sys.stdout.write(json.dumps({**machine, **vars(options), **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
