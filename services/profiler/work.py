"""How a measurement runs: load the network, measure it in a fresh process, sum it up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from donna.errors import FailedPrecondition
from donna.jobs import Job, Report, Task, TaskSpec
from services.profiler.canary import FIRST_MS, CanaryLog, Reading, canary_model, pace_key
from services.profiler.canary import SETTINGS as CANARY_SETTINGS
from services.profiler.device import Device, fingerprint_sha256
from services.profiler.devices import Devices
from services.profiler.failure import TIMEOUT, failure
from services.profiler.measurement import (
    METHOD_VERSION,
    Measured,
    MeasurementSettings,
    cache_key,
    packed,
)
from services.profiler.models import ModelStore
from services.profiler.network import Network
from services.profiler.statistics import summarise

LEASE_MARGIN_S = 60.0
"""What a lease allows beyond the deadline: starting the process, loading, the canary."""


class MeasurementWork:
    """The Work of this service: one task for each measurement, under its cache key."""

    kind = "measurements"

    def __init__(self, devices: Devices, models: ModelStore, canaries: CanaryLog) -> None:
        self._devices = devices
        self._models = models
        self._canaries = canaries

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        network, settings = (
            Network.from_json(spec["network"]),
            MeasurementSettings.from_json(spec["settings"]),
        )
        key = cache_key(network.sha256, spec["fingerprint_sha256"], settings)
        return [
            TaskSpec(
                key="" if spec["skip_cache"] else key, spec=spec, label=f"measuring {network.sha256[:12]}"
            )
        ]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        device = self._devices.get(task.spec["device"])
        # Waiting for other agents is no fault of the network's: the lease begins with the turn.
        with device.turn(report.check):
            return self._run(device, task.spec, report)

    def _run(self, device: Device, spec: dict[str, Any], report: Report) -> dict[str, Any]:
        settings = MeasurementSettings.from_json(spec["settings"])
        network = Network.from_json(spec["network"])
        rest_s = 2 * device.identity.longest_rest_s  # the canary may have to wait for a cool device, too
        go_on = lease(report.check, settings.deadline_ms / 1000 + rest_s + LEASE_MARGIN_S)
        started = time.monotonic()
        fingerprint = fingerprint_sha256(device.fingerprint())
        if fingerprint != spec["fingerprint_sha256"]:
            said = f"{spec['device']} has changed since the measurement was asked for; ask again"
            raise FailedPrecondition(said, reason="DEVICE_CHANGED")
        pace = pace_key(fingerprint, settings.provider, settings.affinity)
        self._look_at_canary(device, settings, pace, go_on)
        model = network.load(self._models)
        state = device.state()
        measured = device.measure(model, settings, go_on)
        beside = measured.canary_ms
        reading = self._canaries.record(pace, beside) if beside else self._canaries.latest(pace)
        report.cost(measurements=1, device_s=time.monotonic() - started)
        return figures(measured, reading) | {
            "device_state": state | ({"canary_drift": f"{reading.drift:.4f}"} if reading else {}),
            "fingerprint_sha256": fingerprint,
            "method_version": METHOD_VERSION,
            "measured_at": time.time(),
        }

    def _look_at_canary(
        self, device: Device, settings: MeasurementSettings, pace: str, go_on: Callable[[], None]
    ) -> None:
        """Measures the canary by itself when it is due: the first time, and where it cannot run beside a network."""
        if not self._canaries.due(pace):
            return
        told = replace(CANARY_SETTINGS, provider=settings.provider, affinity=settings.affinity)
        if self._canaries.latest(pace) is None:
            told = replace(told, min_time_ms=FIRST_MS)
        measured = device.measure(canary_model(), told, go_on)
        self._canaries.record(pace, float(np.median(measured.samples_ms)))

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        return (tasks[0].result or {}) | {"cached": tasks[0].reused}


def lease(check: Callable[[], None], lease_s: float) -> Callable[[], None]:
    """`check` that also raises FailedPrecondition (TIMEOUT) once the device was held for `lease_s` seconds."""
    until = time.monotonic() + lease_s

    def go_on() -> None:
        check()
        if time.monotonic() > until:
            raise failure(TIMEOUT, f"the lease of the device ran out after {lease_s:g} s")

    return go_on


def figures(measured: Measured, reading: Reading | None) -> dict[str, Any]:
    """The summary and the raw samples, under the names of the contract. The latency at the pace of the canary's first
    reading is the median where the canary did not run beside the network."""
    summary = summarise(np.asarray(measured.samples_ms))
    steady_ms = summary.median_ms
    if reading is not None and measured.per_canary:
        steady_ms = measured.per_canary * reading.first_ms
    return asdict(summary) | {
        "steady_ms": steady_ms,
        "canary_ms": measured.canary_ms,
        "samples_ms": packed(measured.samples_ms),
        "unstable": measured.unstable,
        "attempts": measured.attempts,
        "preempted_runs": measured.preempted_runs,
        "peak_memory_bytes": measured.peak_memory_bytes,
        "network_memory_bytes": measured.network_memory_bytes,
        "load_ms": measured.load_ms,
        "nodes_by_provider": measured.nodes_by_provider,
        "layers": [asdict(layer) for layer in measured.layers],
    }
