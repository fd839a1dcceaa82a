"""The memory of services and of the processes that they started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import psutil


def listeners(addresses: Mapping[str, str]) -> dict[str, int]:
    """The process of each service, by the port of its address."""
    ports = {int(address.rpartition(":")[2]): service for service, address in addresses.items()}
    connections = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return {ports[c.laddr.port]: c.pid for c in connections if c.laddr.port in ports and c.pid}


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a service's own process, and of its workers together."""
    process = psutil.Process(pid)
    workers = 0.0
    for child in process.children(recursive=True):
        try:
            workers += child.memory_info().rss / 1e6
        except psutil.NoSuchProcess:
            continue  # it ended just now
    return process.memory_info().rss / 1e6, workers


def slope_mb_per_hour(times_s: Sequence[float], memory: Sequence[float]) -> float | None:
    """Least squares over all but the first fifth, in which caches fill; None of too few."""
    start = len(times_s) // 5
    if len(times_s) - start < 3:
        return None
    return round(float(np.polyfit(np.array(times_s[start:]) / 3600, memory[start:], 1)[0]), 2)
