"""A lane that hangs is given up, and what it says later is not listened to."""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import Any

from services.searcher.dispatch import Dispatch
from services.searcher.lane import Lane, Order
from services.searcher.measurement import Record
from services.searcher.profilers import Site

PHONE = Site(
    name="phone", profiler="phone", device="devices/1", kind="phone", fingerprint="f", description="",
    available=True, unavailable_reason="", queue_length=0, backend="", canary_drift=0.0, canary_ms=0.0,
    canary_time=None,
)  # fmt: skip


class Bench:
    """Measures at once, but for the first time in a test: then it hangs until the end."""

    def __init__(self, measured: list[tuple[str, ...]], end: threading.Event) -> None:
        self.site, self.stopping, self.waits_for = PHONE, threading.Event(), ""
        self._measured, self._end = measured, end
        self.heard()

    def heard(self) -> None:
        self.heard_at = time.monotonic()

    def check_available(self) -> None:
        time.sleep(0.3)  # it is, and takes its time to say so

    def measure(self, fragments: tuple[str, ...], *, request_id: str, skip_cache: bool) -> Record:
        self._measured.append(fragments)
        if len(self._measured) == 1:
            self._end.wait(30)
        return Record(latency_ms=1.0)


class Report:
    """What a search is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def waiting(self, waiting_for: str) -> None:
        self.told.append(waiting_for)

    def check(self) -> None:
        """It may go on."""


def test_a_lane_that_hangs_is_replaced() -> None:
    measured: list[tuple[str, ...]] = []
    end, reopened, lanes, report = threading.Event(), [], [], Report()

    def lane(site: Site, waiting: deque[Order], events: Any, away: str) -> Lane:
        bench: Any = Bench(measured, end)
        make = partial(Lane, attempts=3, retry_s=0.3, job="searches/1", busy=threading.Lock())
        lanes.append(make(bench, waiting=waiting, events=events, away=away))
        return lanes[-1]

    orders = [Order(device="phone", choices=(n,), fragments=(str(n),), repeat=0) for n in range(3)]
    dispatch = Dispatch(
        {"phone": deque(orders)},
        sites={"phone": (PHONE,)},
        away={},
        lane=lane,
        spares=lambda kinds: (),
        reopen=reopened.append,
        report=report,  # type: ignore[arg-type]
        silence_s=0.5,
    )
    results = dispatch.results()
    found = [next(results).order.choices for _ in range(2)]
    end.set()  # now the first lane has its latency, too
    lanes[0].join(10)
    found += [done.order.choices for done in results]
    assert found == [(0,), (1,), (2,)]
    assert measured[:2] == [("0",), ("0",)]
    assert reopened == ["phone"]
    assert "device phone: phone is away: it has not answered for 0 s" in report.told
    assert report.told[-1] == ""
