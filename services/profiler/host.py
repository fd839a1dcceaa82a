"""What this machine says of itself: its fingerprint and its state."""

from __future__ import annotations

import os
import platform
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

_CPU = Path("/sys/devices/system/cpu")
_NVIDIA = Path("/proc/driver/nvidia")


def fingerprint() -> dict[str, str]:
    """Processor, cores, memory, kernel, and the settings of the processor's clocks."""
    return _hardware() | {
        name: value
        for name, value in {
            "governor": _read(_CPU / "cpu0/cpufreq/scaling_governor"),
            "boost": _read(_CPU / "cpufreq/boost"),
            "no_turbo": _read(_CPU / "intel_pstate/no_turbo"),
        }.items()
        if value
    }


def state() -> dict[str, str]:
    """Load, free memory, clocks and temperature; what the machine does not tell is left out."""
    found = {
        "load_1m": f"{os.getloadavg()[0]:.2f}",
        "memory_available_bytes": str(psutil.virtual_memory().available),
    }
    clock = _clock_mhz()
    if clock:
        found["clock_mhz"] = f"{clock:.0f}"
    temperatures: dict[str, list[Any]] = getattr(psutil, "sensors_temperatures", dict)()
    readings = [entry.current for entries in temperatures.values() for entry in entries if entry.current]
    if readings:
        found["temperature_c"] = f"{max(readings):.1f}"
    return found


@lru_cache(maxsize=1)
def _hardware() -> dict[str, str]:
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": cpu_model(),
        "cores": str(psutil.cpu_count(logical=False) or 0),
        "threads": str(usable_cores()),
        "memory_bytes": str(psutil.virtual_memory().total),
    }


def nvidia(driver: Path = _NVIDIA) -> dict[str, str]:
    """Models and driver of the NVIDIA GPUs, as the driver tells them in files; empty where there is none."""
    models = {
        " ".join(value.split())
        for path in sorted(driver.glob("gpus/*/information"))
        for name, _, value in (line.partition(":") for line in _read(path).splitlines())
        if name.strip() == "Model"
    }
    version = re.search(r"\b\d+\.\d+(\.\d+)?\b", _read(driver / "version").partition("\n")[0])
    found = {"gpu": ", ".join(sorted(models)), "gpu_driver": version[0] if version else ""}
    return {name: value for name, value in found.items() if value}


def cpu_model() -> str:
    """The processor's name as its vendor writes it."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "Hardware"):
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Processors that this process may run on; a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1


def _clock_mhz() -> float:
    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError):
        return 0.0
    return float(frequency.current) if frequency else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
