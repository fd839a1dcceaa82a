"""Many networks on several devices at once, one at a time on each, through every kind of bad day.

Threads measure, one for each device; the thread of the search alone speaks to the store. What is measured is
remembered at once under a key of its content (fragments, device fingerprint, settings), so neither a resumed
search nor a later one measures it again.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from donna.errors import InvalidArgument, Unavailable
from donna.jobs.work import Report
from donna.space import Architecture, Library
from services.searcher.bench import SLICE_S, Bench
from services.searcher.dispatch import Dispatch
from services.searcher.lane import Done, Failed, Lane, Order
from services.searcher.measurement import NOT_RUNNABLE, UNSTABLE, Record
from services.searcher.patience import patiently
from services.searcher.profilers import Pool, Profilers, Site
from services.searcher.weightless import Weightless

NOT_MEASURED = "NOT_MEASURED"
"""Note of a network that the limit of measurements left out."""

GRACE_S = 5.0
"""A device that is silent for this much longer than the deadlines of its calls is taken for lost."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`measurements` on each device, 0 for no limit; the rest as in the settings of the service."""

    measurements: int = 0
    deadline_s: float = 300.0
    attempts: int = 3
    retry_s: float = 2.0


class Fleet:
    """The devices of one search. `records` has what is known: (device name, choices) -> Record; `fingerprints` those
    by which it is known: device name -> {site: fingerprint}. They are to be kept in the checkpoint as `fingerprints`: a
    resumed search finds by them what a device has measured that is away now. `on_measured` is called after every
    measurement."""

    def __init__(
        self,
        *,
        profilers: Profilers,
        fragments: Weightless,
        library: Library,
        report: Report,
        job: str,
        settings: dict[str, Any],
        limits: Limits,
    ) -> None:
        self.records: dict[tuple[str, tuple[int, ...]], Record] = {}
        self._profilers, self._fragments, self._library = profilers, fragments, library
        self._report, self._job, self._settings, self._limits = report, job, settings, limits
        self.on_measured: Callable[[], None] = lambda: None
        self.fingerprints: dict[str, dict[str, str]] = (report.saved() or {}).get("fingerprints", {})
        self._pools: dict[str, Pool] = {}
        self._away: dict[str, str] = {}
        self._busy: dict[tuple[str, str], threading.Lock] = {}
        self._known: dict[str, set[str]] = {}

    def latency(self, X: np.ndarray, devices: Sequence[str]) -> dict[str, np.ndarray]:
        """(A,) milliseconds of (A, N) choices by device, measured unless known; NaN where there is none.

        Waits while no device answers. Raises Cancelled, and errors that no retry will mend.
        """
        self.measure(X, devices)
        return {device: self.known(X, device) for device in devices}

    def known(self, X: np.ndarray, device: str) -> np.ndarray:
        """(A,) latencies on record; NaN for the others."""
        found = [self.records.get((device, tuple(row))) for row in X.tolist()]
        return np.array([np.nan if r is None or r.latency_ms is None else r.latency_ms for r in found])

    def count(self, device: str) -> int:
        """Networks tried on a device by this search, those known from before included."""
        return sum(1 for (name, _), r in self.records.items() if name == device and r.note != NOT_MEASURED)

    @property
    def exhausted(self) -> bool:
        """Whether some device has reached the limit of measurements."""
        limit = self._limits.measurements
        return limit > 0 and any(self.count(device) >= limit for device in {name for name, _ in self.records})

    def measure(self, X: np.ndarray, devices: Sequence[str], *, repeat: int = 0) -> None:
        """Sees to it that every network has a record on every device.

        With `repeat` 1, 2, ... they are measured once more, past all caches; the latency on record becomes the
        median of all medians, of those that settled if one did.
        """
        orders: dict[str, deque[Order]] = {}
        for device in devices:
            wanted = self._recall(X, device, repeat)
            if self._limits.measurements:
                left = max(0, self._limits.measurements - self.count(device)) if not repeat else len(wanted)
                for order in wanted[left:]:
                    self.records[device, order.choices] = Record(latency_ms=None, note=NOT_MEASURED)
                wanted = wanted[:left]
            orders[device] = deque(wanted)
        if any(orders.values()):
            self._run(orders)

    def recall(self, X: np.ndarray, devices: Iterable[str]) -> None:
        """Takes on record what the store knows of these networks; measures nothing."""
        for device in devices:
            self._recall(X, device, repeat=0)

    def _recall(self, X: np.ndarray, device: str, repeat: int) -> list[Order]:
        """Orders for what the store does not know."""
        pool = self._pool(device)
        orders = []
        for choices in dict.fromkeys(tuple(row) for row in X.tolist()):
            if repeat or (device, choices) not in self.records:
                orders.append(
                    Order(
                        device=device,
                        choices=choices,
                        fragments=self._library.fragments(Architecture(choices=choices)),
                        repeat=repeat,
                    )
                )
        measured = self.fingerprints.setdefault(device, {})
        here = {site.name: site.fingerprint for site in (*pool.sites, *pool.spares)}
        keys = {
            self._key(order, fingerprint, own): order
            for order in orders
            # A device that is here is what it is now; one that is away is still what it was.
            for fingerprint in dict.fromkeys((measured | here).values())
            for own in (False, True)
        }
        known = self._report.recall(list(keys))
        answered: dict[tuple[int, ...], Record] = {}
        for key, values in known.items():
            answered.setdefault(keys[key].choices, Record.from_dict(values))
        for order in orders:
            if order.choices in answered:
                record = answered[order.choices]
                measured.setdefault(record.site, record.fingerprint)
                self._take(order, record)
        reused = sum(1 for record in answered.values() if record.job != self._job)
        if reused:
            self._report.cost(measurements_reused=reused)
        return [order for order in orders if order.choices not in answered]

    def _pool(self, device: str) -> Pool:
        if device not in self._pools:

            def find() -> Pool:
                try:
                    return self._profilers.pool(device)
                except InvalidArgument as error:
                    # It was known when the search was created: after a restart of the searcher it may not be yet.
                    raise Unavailable(error.message) from error

            self._pools[device] = patiently(self._report, f"device {device}", find, self._limits.retry_s)
        return self._pools[device]

    def _run(self, orders: dict[str, deque[Order]]) -> None:
        dispatch = Dispatch(
            orders,
            sites={device: self._pools[device].sites for device in orders},
            away=self._away,
            lane=self._lane,
            spares=self._profilers.ready,
            reopen=self._profilers.reopen,
            report=self._report,
            silence_s=self._profilers.call_deadline_s + SLICE_S + GRACE_S,
        )
        with closing(dispatch.results()) as results:
            for done in results:
                self._remember(done)
                self.on_measured()
        # The next round begins with those who helped in this one, and asks first for those who were away.
        for device, lanes in dispatch.lanes.items():
            self._pools[device] = replace(self._pools[device], sites=tuple(lane.site for lane in lanes))
            self._away |= {lane.site.name: lane.away for lane in lanes}

    def _lane(
        self, site: Site, waiting: deque[Order], events: queue.Queue[Done | Failed], away: str = ""
    ) -> Lane:
        """A new lane; one for a device that did not answer (`away`) does not wait for what hangs there."""
        place = (site.profiler, site.device)
        if away:
            self._busy.pop(place, None)
        bench = Bench(
            site=site,
            remote=partial(self._profilers.remote, site.profiler),
            fragments=self._fragments,
            settings=self._settings,
            deadline_s=self._limits.deadline_s,
            stopping=threading.Event(),
            known=self._known.setdefault(site.profiler, set()),
        )
        return Lane(
            bench,
            attempts=self._limits.attempts,
            retry_s=self._limits.retry_s,
            job=self._job,
            waiting=waiting,
            events=events,
            busy=self._busy.setdefault(place, threading.Lock()),
            away=away,
        )

    def _remember(self, done: Done) -> None:
        record = replace(done.record, job=self._job)
        self.fingerprints[done.order.device][record.site] = record.fingerprint
        own = record.latency_ms is None and record.note not in NOT_RUNNABLE
        key = self._key(done.order, record.fingerprint, own)
        if record.cached:
            self._report.remember(key, record.to_dict(), measurements_reused=1)
        else:
            self._report.remember(key, record.to_dict(), measurements=1, device_s=record.device_s)
        self._take(done.order, record)

    def _take(self, order: Order, record: Record) -> None:
        place = (order.device, order.choices)
        before = self.records.get(place)
        if order.repeat and before is not None:
            if record.latency_ms is None or (before.note, record.note) == ("", UNSTABLE):
                return  # what failed or did not settle does not undo a latency
            if before.note == record.note:
                medians = (*before.medians_ms, *record.medians_ms)
                record = replace(before, medians_ms=medians, latency_ms=float(np.median(medians)))
        self.records[place] = record

    def _key(self, order: Order, fingerprint: str, own: bool) -> str:
        """Content key. Failures that may pass (crashes, timeouts) and repetitions belong to this job alone."""
        mine = self._job if own or order.repeat else ""
        parts = ["donna.measurement/2", order.fragments, fingerprint, self._settings, order.repeat, mine]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
