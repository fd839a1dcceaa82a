"""How a search goes on until its front is measured: propose, measure, correct what the proposals came from."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from services.searcher.fleet import Fleet
from services.searcher.found import Found
from services.searcher.search import Search

MAX_ROUNDS = 5
"""How often a refined table is corrected at most."""

NEAREST = 10
"""Networks that are measured where, by the table, none meets all bounds: the table may be wrong."""


class Proposals(Protocol):
    """A way to look for the front by latencies as far as they are known. `rounds` counts corrections, `extra` (E, N)
    are the networks of earlier fronts, by which tables are corrected."""

    rounds: int
    extra: np.ndarray

    def search(self) -> None:
        """Looks for the front, with more effort in later rounds."""

    def front(self) -> np.ndarray:
        """(P, N) the front by what is known now."""

    def nearest(self, count: int) -> np.ndarray:
        """(`count` or fewer, N) networks not measured yet that come closest to meeting all bounds."""

    def correct(self) -> None:
        """Takes latencies as they are known now."""

    def found(self) -> Found:
        """Everything that was evaluated; latencies may be those of a table."""


def refine(search: Search, proposals: Proposals) -> None:
    """Searches and measures, by the latency mode of the search; a front of nothing is never the last word."""
    latencies, fleet = search.latencies, search.fleet
    if fleet is None:
        return proposals.search()
    if not latencies.by_table:
        _measure_again(search, fleet, proposals, start=0.02)
        proposals.search()
        return _measure_again(search, fleet, proposals, start=0.97)
    devices = search.spec.devices
    search.stage.enter(0.02, 0.5, latencies.plan.size * len(devices), "measuring single blocks")
    latencies.calibrate(proposals.extra)
    while True:
        proposals.search()
        front = proposals.front()
        X = front if len(front) else proposals.nearest(NEAREST)
        search.stage.enter(0.7, 0.28, len(X) * len(devices), "measuring the front")
        fleet.measure(X, devices)
        if not latencies.refined or proposals.rounds == MAX_ROUNDS or fleet.exhausted:
            return None
        proposals.rounds += 1
        proposals.extra = np.unique(np.concatenate([proposals.extra, X]), axis=0)
        latencies.calibrate(proposals.extra)
        proposals.correct()
        front = proposals.front()
        if len(front) and not latencies.unknown(front).any():
            return None  # the front of the corrected values is measured already: it is stable


def _measure_again(search: Search, fleet: Fleet, proposals: Proposals, *, start: float) -> None:
    """Measures the front where it was measured on a device that is not the same any more (another driver or system),
    until all of it is known on this one. In a search that was not interrupted there is nothing to do.

    `start` is how far the search is then, as a share of the whole."""
    while (unknown := search.latencies.unknown(X := proposals.front())).any():
        devices = search.spec.devices
        told = f"measuring the front again: {', '.join(devices)} changed since"
        search.stage.enter(start, 0.01, unknown.sum() * len(devices), told)
        fleet.measure(X[unknown], devices)
        proposals.correct()
