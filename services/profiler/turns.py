"""Whose turn it is on which device: larger priorities first, equals in random order.

One thread for each device takes its measurements one after the other. That makes the device's lease exclusive, and
no device waits for another. What waits, waits in the store: it survives a restart, and a measurement whose agent
died is claimed again when its lease there has run out.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from donna.errors import NotFound
from donna.jobs.engine import run_worker
from donna.jobs.record import JobState
from donna.jobs.store import JobStore
from donna.jobs.work import Work

IDLE_S = 2.0
STOP_GRACE_S = 10.0


class _Measurement(NamedTuple):
    name: str
    state: JobState
    device: str
    priority: int


class Turns:
    """The Placement of measurements. `devices` are the names of this agent's devices, at least one.

    In a random order a device that slows down or warms up hits all candidates alike instead of the last ones.
    Measurements for a device that is gone from the settings go to the first one's thread, where they fail.
    """

    failing = False

    def __init__(
        self,
        store: JobStore,
        work: Work,
        devices: Sequence[str],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._work = work
        self._devices = tuple(devices)
        self._draw = draw
        self._specs: dict[str, tuple[str, int]] = {}
        self._reading = threading.Lock()
        self._stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def order(self, device: str) -> list[str]:
        """The measurements of a device that have not ended, in the order in which to try to claim them."""
        mine = [each for each in self._active() if each.device == device]
        return [each.name for each in sorted(mine, key=lambda each: (-each.priority, self._draw()))]

    def waiting(self, device: str) -> int:
        """How many measurements wait for a device."""
        return sum(each.device == device and each.state is JobState.QUEUED for each in self._active())

    def _active(self) -> list[_Measurement]:
        states = self._store.active_states(self._work.kind)
        with self._reading:
            # A spec never changes: each is read once, however often somebody looks.
            known = {name: self._specs.get(name) or self._read(name) for name in states}
            self._specs = {name: spec for name, spec in known.items() if spec is not None}
            return [_Measurement(name, states[name], *spec) for name, spec in self._specs.items()]

    def _read(self, name: str) -> tuple[str, int] | None:
        try:
            spec = self._store.get(name).spec
        except NotFound:  # ended and deleted since
            return None
        device = spec["device"]
        return (device if device in self._devices else self._devices[0]), spec["priority"]

    def place(self, wanted: int) -> None:
        for device in self._devices if wanted else ():
            thread = self._threads.get(device)
            if thread is None or not thread.is_alive():
                self._threads[device] = thread = threading.Thread(
                    target=run_worker,
                    args=(self._store, self._work),
                    kwargs={
                        "stopping": self._stopping,
                        "idle_s": IDLE_S,
                        "choose": lambda device=device: self.order(device),
                    },
                    name=f"device-{device}",
                    daemon=True,
                )
                thread.start()

    def close(self) -> None:
        self._stopping.set()
        until = time.monotonic() + STOP_GRACE_S
        for thread in self._threads.values():
            thread.join(max(0.0, until - time.monotonic()))
