"""What the profiler tells Prometheus of its devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from donna.errors import Unavailable
from services.profiler.canary import CanaryLog
from services.profiler.device import fingerprint_sha256
from services.profiler.devices import Devices
from services.profiler.turns import Turns


class DeviceMetrics(Collector):
    """Whether each device can be measured on, what waits for it, and whether its canary has moved."""

    def __init__(self, devices: Devices, turns: Turns, canaries: CanaryLog) -> None:
        self._devices = devices
        self._turns = turns
        self._canaries = canaries

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("donna_device_up", "1 when it can be measured on.", labels=("device",))
        waiting = GaugeMetricFamily(
            "donna_device_queue_length", "Measurements that wait for the device.", labels=("device",)
        )
        drift = GaugeMetricFamily(
            "donna_device_canary_drift",
            "Latency of one network of our own now, relative to its first.",
            labels=("device",),
        )
        for device in self._devices:
            identity = device.identity
            waiting.add_metric((identity.name,), self._turns.waiting(identity.name))
            try:
                away = device.unavailable_reason()
                digest = "" if away else fingerprint_sha256(device.fingerprint())
            except Unavailable:  # it left between the two questions
                away, digest = "away", ""
            up.add_metric((identity.name,), not away)
            reading = self._canaries.latest(f"{digest}/{identity.providers[0]}") if digest else None
            if reading is not None:
                drift.add_metric((identity.name,), reading.drift)
        yield from (up, waiting, drift)
