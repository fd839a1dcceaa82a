"""One round of measuring: a lane for every device, until nothing is left to measure.

The thread of the search looks after the lanes: it says for which devices the search waits, calls devices of the same
kind in for those that are away, and gives up a lane that has been silent for too long, whatever it hangs on.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from donna.jobs.work import Report
from services.searcher.lane import Done, Failed, Lane, Order
from services.searcher.profilers import Site

TURN_S = 0.2
LOOK_S = 10.0
"""How often spares are looked for while a device is away."""
STOP_S = 5.0
"""How long the end of a round waits for its threads, all together."""

Events = queue.Queue[Done | Failed]


class Dispatch:
    """`orders` and `sites` by device name; `away` has why sites were away last, by their names. `lane(site, waiting,
    events, away)` starts a lane; `spares(kinds)` finds devices, `reopen(profiler)` replaces the connection to a
    profiler; `silence_s` is how long a lane may be silent.

    `lanes` are there after the round, too: the sites that took part, and which of them are away."""

    def __init__(
        self,
        orders: Mapping[str, deque[Order]],
        *,
        sites: Mapping[str, Sequence[Site]],
        away: Mapping[str, str],
        lane: Callable[[Site, deque[Order], Events, str], Lane],
        spares: Callable[[Collection[str]], Sequence[Site]],
        reopen: Callable[[str], None],
        report: Report,
        silence_s: float,
    ) -> None:
        self._orders, self._sites, self._away = orders, sites, away
        self._lane, self._spares, self._reopen = lane, spares, reopen
        self._report, self._silence_s = report, silence_s
        self._left = {device: len(waiting) for device, waiting in orders.items()}
        self._events: Events = queue.Queue()
        self.lanes: dict[str, list[Lane]] = {}
        self._looks: dict[str, tuple[float, Future[Sequence[Site]] | None]] = {}
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="spares")

    def results(self) -> Generator[Done, None, None]:
        """What was measured, as it comes. Raises Cancelled when the job is, and what no retry will mend."""
        try:
            for device, waiting in self._orders.items():
                self.lanes[device] = [
                    self._lane(site, waiting, self._events, self._away.get(site.name, ""))
                    for site in self._sites[device]
                ]
            while any(self._left.values()):
                self._look_after()
                try:
                    event = self._events.get(timeout=TURN_S)
                except queue.Empty:
                    self._report.check()
                    continue
                if isinstance(event, Failed):
                    raise event.error
                self._left[event.order.device] -= 1
                yield event
            self._report.waiting("")
        finally:
            self._stop()

    def _stop(self) -> None:
        every = [lane for lanes in self.lanes.values() for lane in lanes]
        for lane in every:
            lane.stop()
        until = time.monotonic() + STOP_S
        for lane in every:
            if not lane.away:  # else it has nothing in hand, and may be asking a device that hangs
                lane.join(until - time.monotonic())
        self._looking.shutdown(wait=False, cancel_futures=True)

    def _look_after(self) -> None:
        for device, lanes in self.lanes.items():
            if not self._left[device]:
                continue
            for i, lane in enumerate(lanes):
                if time.monotonic() - lane.heard_at > self._silence_s:
                    lane.give_up()
                    self._reopen(lane.site.profiler)
                    away = f"it has not answered for {self._silence_s:.0f} s"
                    lanes[i] = self._lane(lane.site, self._orders[device], self._events, away)
            if all(lane.away for lane in lanes):
                self._call_spares(device, lanes)
        self._report.waiting(self._waits_for())

    def _waits_for(self) -> str:
        """The devices that have something to do, and nobody does it."""
        told = []
        for device, lanes in self.lanes.items():
            waits = [lane.waits_for for lane in lanes if not lane.idle]
            if self._left[device] and waits and all(waits):
                told.append(f"device {device}: {'; '.join(sorted(set(waits)))}")
        return "; ".join(told)

    def _call_spares(self, device: str, lanes: list[Lane]) -> None:
        """Looks for them in a thread of its own, so that the search can say meanwhile what it waits for."""
        looked_at, look = self._looks.get(device, (-LOOK_S, None))
        if look is not None and look.done():
            used = {lane.site.name for lane in lanes}
            more = [site for site in look.result() if site.name not in used]
            lanes.extend(self._lane(site, self._orders[device], self._events, "") for site in more)
            self._looks[device] = looked_at, None
        elif look is None and time.monotonic() - looked_at > LOOK_S:
            kinds = {lane.site.kind for lane in lanes}
            self._looks[device] = time.monotonic(), self._looking.submit(self._spares, kinds)
