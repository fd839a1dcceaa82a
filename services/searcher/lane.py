"""The thread that measures on one device: takes the next network, tries it, says what came of it."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from donna.errors import Cancelled, DonnaError, Internal, Unavailable
from services.searcher.bench import Bench
from services.searcher.measurement import BLAMELESS, NOT_RUNNABLE, MeasurementEnded, Record

IDLE_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Order:
    """A network to measure for a device name; `repeat` 0 is the first measurement.

    `ended` has the reasons of its measurements that ended without a latency, on whatever device.
    """

    device: str
    choices: tuple[int, ...]
    fragments: tuple[str, ...]
    repeat: int
    ended: tuple[str, ...] = ()

    @property
    def faults(self) -> int:
        """How many of those may be the network's doing: crashes, timeouts, devices that it took down."""
        return sum(reason not in BLAMELESS for reason in self.ended)


@dataclass(frozen=True, kw_only=True)
class Done:
    """An order came to an end, with a latency or a reason why there is none."""

    order: Order
    record: Record


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Something that no retry will mend."""

    error: DonnaError


class Lane:
    """Measures what waits in `waiting` until it is stopped; puts Done and Failed into `events`.

    An order that the device did not get to goes back, for whichever lane is ready first.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        attempts: int,
        retry_s: float,
        job: str,
        waiting: deque[Order],
        events: queue.Queue[Done | Failed],
        busy: threading.Lock,
        away: str = "",
    ) -> None:
        """`away` says why the device has to be asked for before it gets anything to do, and stays true while it is;
        `busy` is held while it measures, since a device may have a lane for each name that it answers to."""
        self.site = bench.site
        self.away = away
        self._bench, self._stopping = bench, bench.stopping
        self._attempts, self._retry_s, self._job = attempts, retry_s, job
        self._waiting, self._events, self._busy = waiting, events, busy
        self._order: Order | None = None
        self._holding = threading.Lock()
        self._setbacks = 0
        self._thread = threading.Thread(
            target=self._run, args=(away,), name=f"lane-{self.site.name}", daemon=True
        )
        self._thread.start()

    @property
    def waits_for(self) -> str:
        """Why nothing is measured on the site now; empty while something is, or nothing has to be."""
        return f"{self.site.name} is away: {self.away}" if self.away else self._bench.waits_for

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return not self.away and self._order is None

    @property
    def heard_at(self) -> float:
        """Monotonic seconds: when it was last seen to be alive."""
        return self._bench.heard_at

    def stop(self) -> None:
        """Ends it soon; a call that hangs ends by its own deadline."""
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Waits a little for the end."""
        self._thread.join(max(0.0, timeout_s))

    def give_up(self) -> None:
        """Stops it, and gives what it has in hand to the others: whatever it says later is not listened to."""
        self.stop()
        if (order := self._release()) is not None:
            self._waiting.appendleft(order)

    def _release(self) -> Order | None:
        """The order in hand if it was still this lane's; now it is not any more."""
        with self._holding:
            order, self._order = self._order, None
        return order

    def _run(self, away: str) -> None:
        try:
            if away:
                self._wait_for_device(away)
            while not self._stopping.is_set():
                try:
                    self._order = self._waiting.popleft()
                except IndexError:
                    # Another lane may still hand its order back, so wait rather than leave.
                    self._bench.heard()
                    self._stopping.wait(IDLE_S)
                    continue
                self._measure(self._order)
        except Cancelled:
            pass  # raised here only when told to stop
        except DonnaError as error:
            self._fail(error)
        except Exception as error:
            # Without this the search would wait for ever on a thread that is gone.
            self._fail(Internal(f"measuring on {self.site.name} failed ({type(error).__name__})"))

    def _fail(self, error: DonnaError) -> None:
        if not self._stopping.is_set():
            self._events.put(Failed(error=error))

    def _measure(self, order: Order) -> None:
        try:
            record = self._tried(order)
        except MeasurementEnded as end:
            self._ended(replace(order, ended=(*order.ended, end.reason)), end)
        except Unavailable as error:
            # The measurement may be going on: whoever takes the order first finds it by its request_id.
            self._hand_back(order, first=True)
            self._wait_for_device(error.message, error.retry_after_s)
        else:
            self._setbacks = 0
            self._done(order, record)

    def _tried(self, order: Order) -> Record:
        while not self._busy.acquire(timeout=1.0):
            self._bench.heard()
        try:
            return self._bench.measure(
                order.fragments, request_id=self._request_id(order), skip_cache=order.repeat > 0
            )
        finally:
            self._busy.release()

    def _ended(self, order: Order, end: MeasurementEnded) -> None:
        if end.reason in NOT_RUNNABLE or order.faults >= self._attempts:
            self._done(
                order,
                Record(
                    latency_ms=None,
                    note=end.reason,
                    message=end.message,
                    site=self.site.name,
                    fingerprint=self.site.fingerprint,
                ),
            )
        else:
            # A network that takes devices down goes last, so that the others get their turn.
            self._hand_back(order, first=end.reason != "DEVICE_LOST")
        if end.reason == "DEVICE_LOST" or end.reason in BLAMELESS:
            self._wait_for_device(end.message)

    def _done(self, order: Order, record: Record) -> None:
        if self._release() is not None:
            self._events.put(Done(order=order, record=record))

    def _hand_back(self, order: Order, *, first: bool) -> None:
        if self._release() is not None:
            (self._waiting.appendleft if first else self._waiting.append)(order)

    def _wait_for_device(self, reason: str, pause_s: float | None = None) -> None:
        """Returns when the device answers or the lane is stopped; other lanes do its orders meanwhile.

        The first time after a success it is asked at once: most connections that break can be made again.
        """
        self._say_away(reason)
        self._setbacks += 1
        if pause_s is None:
            pause_s = 0.0 if self._setbacks == 1 else self._retry_s
        while not self._paused(pause_s):
            pause_s = self._retry_s
            try:
                self._bench.check_available()
            except DonnaError as error:
                self._say_away(error.message)
            else:
                self.away = ""
                return

    def _paused(self, seconds: float) -> bool:
        """Whether the lane was stopped meanwhile."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0 and not self._stopping.wait(min(left_s, 1.0)):
            self._bench.heard()
        return self._stopping.is_set()

    def _say_away(self, reason: str) -> None:
        self.away = reason or "it does not say why"

    def _request_id(self, order: Order) -> str:
        """The same for the same attempt on the same device, so that an answer that was lost is not measured twice."""
        device = f"{self.site.name}|{self.site.fingerprint}"
        parts = f"{self._job}|{device}|{order.choices}|{order.repeat}|{len(order.ended)}"
        return hashlib.sha256(parts.encode()).hexdigest()[:32]
