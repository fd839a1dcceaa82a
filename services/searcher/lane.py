"""The thread that measures on one device: takes the next network, tries it, says what came of it."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from donna.errors import Cancelled, DeadlineExceeded, DonnaError, Internal, NotFound, Unavailable
from donna.rpc.channel import Remote
from services.searcher.measurement import NOT_RUNNABLE, Bench, MeasurementFailed, Record
from services.searcher.profilers import Site
from services.searcher.weightless import Weightless


@dataclass(frozen=True, kw_only=True)
class Order:
    """A network to measure for a device name; `repeat` 0 is the first measurement."""

    device: str
    choices: tuple[int, ...]
    fragments: tuple[str, ...]
    repeat: int


@dataclass(frozen=True, kw_only=True)
class Done:
    """An order came to an end, with a latency or a reason why there is none."""

    order: Order
    record: Record


@dataclass(frozen=True, kw_only=True)
class Away:
    """A device does not answer; its order went back to the others."""

    order: Order
    site: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Back:
    """A device answers again."""

    device: str
    site: str


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Something that no retry will mend."""

    error: DonnaError


class Lane:
    """Starts measuring at once; ends when told to, or when nothing waits any more."""

    def __init__(
        self,
        *,
        site: Site,
        remote: Remote,
        fragments: Weightless,
        settings: dict[str, Any],
        deadline_s: float,
        attempts: int,
        retry_s: float,
        job: str,
        waiting: deque[Order],
        events: queue.Queue[Any],
        stopping: threading.Event,
        busy: threading.Lock,
    ) -> None:
        self.site = site
        self._bench = Bench(
            site=site,
            remote=remote,
            fragments=fragments,
            settings=settings,
            deadline_s=deadline_s,
            stopping=stopping,
        )
        self._losses = 0
        self._attempts, self._retry_s, self._job = attempts, retry_s, job
        self._waiting, self._events, self._stopping, self._busy = waiting, events, stopping, busy
        self._thread = threading.Thread(target=self._run, name=f"lane-{site.name}", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Waits a little for the end; a call that hangs ends by its own deadline, and then nothing is written."""
        self._thread.join(max(0.0, timeout_s))

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    order = self._waiting.popleft()
                except IndexError:
                    # Another lane may still hand its order back, so wait rather than leave.
                    self._stopping.wait(0.05)
                    continue
                try:
                    with self._busy:
                        record = self._try(order)
                except Unavailable as error:
                    self._losses += error.reason == "DEVICE_LOST"
                    self._waiting.appendleft(order)
                    self._events.put(Away(order=order, site=self.site.name, reason=error.message))
                    self._wait_for_device()
                    self._events.put(Back(device=order.device, site=self.site.name))
                else:
                    self._events.put(Done(order=order, record=record))
        except Cancelled:
            pass
        except DonnaError as error:
            self._events.put(Failed(error=error))
        except Exception as error:
            # Without this the search would wait for ever on a thread that is gone.
            self._events.put(
                Failed(error=Internal(f"measuring on {self.site.name} failed ({type(error).__name__})"))
            )

    def _wait_for_device(self) -> None:
        """Returns when the device answers or the search stops; other lanes do its orders meanwhile."""
        while not self._stopping.wait(self._retry_s):
            try:
                if self._bench.available():
                    return
            except (Unavailable, DeadlineExceeded, NotFound):
                continue

    def _try(self, order: Order) -> Record:
        """A record, after as many attempts as allowed. Raises Unavailable when the device is away."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._bench.measure(
                    order.fragments, request_id=self._request_id(order, attempt), skip_cache=order.repeat > 0
                )
            except MeasurementFailed as failure:
                if failure.reason in NOT_RUNNABLE or attempt >= self._attempts:
                    return Record(
                        latency_ms=None,
                        note=failure.reason,
                        message=failure.message,
                        site=self.site.name,
                        fingerprint=self.site.fingerprint,
                    )

    def _request_id(self, order: Order, attempt: int) -> str:
        """The same for the same attempt, so that an answer that was lost is not measured twice."""
        parts = f"{self._job}|{self.site.name}|{order.choices}|{order.repeat}|{attempt}|{self._losses}"
        return hashlib.sha256(parts.encode()).hexdigest()[:32]
