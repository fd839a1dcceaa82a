"""What the searcher tells Prometheus of the agents at its hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from donna.rpc.hub import DeviceHub


class HubMetrics(Collector):
    """Which of the agents that have ever dialled in are attached now."""

    def __init__(self, hub: DeviceHub) -> None:
        self._hub = hub

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("donna_agent_up", "1 while the agent is attached.", labels=("agent",))
        for agent, attached in sorted(self._hub.attached().items()):
            up.add_metric((agent,), attached)
        yield up
