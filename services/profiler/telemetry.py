"""What the profiler tells Prometheus of its devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.profiler.canary import CanaryLog, pace_key
from services.profiler.description import Descriptions
from services.profiler.devices import Devices
from services.profiler.turns import Turns


class DeviceMetrics(Collector):
    """Whether each device can be measured on, what waits for it, and whether its canary has moved."""

    def __init__(
        self, devices: Devices, descriptions: Descriptions, turns: Turns, canaries: CanaryLog
    ) -> None:
        self._devices = devices
        self._descriptions = descriptions
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
        devices = list(self._devices)
        for device, told in zip(devices, self._descriptions.of(devices), strict=True):
            identity = device.identity
            waiting.add_metric((identity.name,), self._turns.waiting(identity.name))
            up.add_metric((identity.name,), not told.away)
            reading = self._canaries.latest(pace_key(told.fingerprint_sha256, identity.providers[0]))
            if reading is not None:
                drift.add_metric((identity.name,), reading.drift)
        yield from (up, waiting, drift)
