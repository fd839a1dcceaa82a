"""What the predictor tells Prometheus of what it keeps in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from services.predictor.shelf import Shelf


class ShelfMetrics(Collector):
    """How often a library or model was ready, and how often it had to be read."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "donna_shelf_hits", "Libraries and models that were in memory.", value=self._shelf.hits
        )
        yield CounterMetricFamily(
            "donna_shelf_misses", "Libraries and models that had to be read.", value=self._shelf.misses
        )
