"""This machine as a device, through ONNX Runtime and every execution provider of the installed build."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import onnxruntime

from donna.errors import InvalidArgument
from services.profiler import host
from services.profiler.canary import canary_model
from services.profiler.device import Identity, kind_of
from services.profiler.host_lock import machine
from services.profiler.measurement import Measured, MeasurementSettings
from services.profiler.process import Nursery

CPU = "CPUExecutionProvider"
_ELSEWHERE = ("AzureExecutionProvider",)
"""Providers that run the network on somebody else's machine."""


class LocalDevice:
    """A Device. `default_provider` "" means the processor, which every build offers."""

    def __init__(self, *, device_id: str, default_provider: str = "") -> None:
        offered = [name for name in onnxruntime.get_available_providers() if name not in _ELSEWHERE]
        default = default_provider or CPU
        if default not in offered:
            said = f"must be one of {', '.join(offered)}, got {default_provider!r}"
            raise InvalidArgument.of("default_provider", said)
        cores, gpu = host.usable_cores(), host.nvidia().get("gpu", "")
        what = (host.cpu_model(), f"{cores}c") if default == CPU else (gpu, default)
        self.identity = Identity(
            id=device_id,
            kind=kind_of(platform.machine(), *what),
            backend="onnxruntime",
            description=f"{host.cpu_model()}, {cores} cores" + (f", {gpu}" if gpu else ""),
            providers=(default, *(name for name in offered if name != default)),
        )
        self._nursery = Nursery()
        # One file for all agents of this user: other users' files could not be opened.
        self._lock = Path(tempfile.gettempdir()) / f"donna-device-{os.getuid()}.lock"

    def fingerprint(self) -> dict[str, str]:
        return host.fingerprint() | host.nvidia() | _runtime()

    def state(self) -> dict[str, str]:
        return host.state()

    def unavailable_reason(self) -> str:
        return ""

    def turn(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        return machine(check, self._lock)

    def measure(self, model: bytes, settings: MeasurementSettings, check: Callable[[], None]) -> Measured:
        # Other providers compile a network before its first run, for seconds: too dear to do for the canary each time.
        canary = canary_model() if settings.provider == CPU else b""
        return self._nursery.measure(model, settings, check, canary=canary)

    def close(self) -> None:
        self._nursery.close()


@lru_cache(maxsize=1)
def _runtime() -> dict[str, str]:
    return {
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "build": onnxruntime.get_build_info(),
        "providers": ",".join(onnxruntime.get_available_providers()),
    } | ({"cuda": str(cuda)} if (cuda := getattr(onnxruntime, "cuda_version", "")) else {})
