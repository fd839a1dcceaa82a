"""What devices say of themselves now: every one is asked in a thread of its own, and none is waited for for long."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from donna.errors import DonnaError
from services.profiler.device import Device, fingerprint_sha256

ANSWER_S = 3.0
"""A phone takes part of a second; one that hangs must not hide the others of its host."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """`away` says why the device cannot be measured on; then it has no fingerprint and no state."""

    away: str = ""
    fingerprint: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint_sha256(self) -> str:
        """Empty while the device is away."""
        return fingerprint_sha256(self.fingerprint) if self.fingerprint else ""


def describe(device: Device) -> Description:
    """One device, however long it takes."""
    try:
        if away := device.unavailable_reason():
            return Description(away=away)
        return Description(fingerprint=device.fingerprint(), state=device.state())
    except DonnaError as error:  # it left between two questions
        return Description(away=error.message)


class Descriptions:
    """Asks devices, each once at a time: whoever comes meanwhile gets the same answer."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._threads = ThreadPoolExecutor(max(1, len(devices)), thread_name_prefix="describing")
        self._asked: dict[str, Future[Description]] = {}
        self._asking = threading.Lock()

    def of(self, devices: Sequence[Device]) -> list[Description]:
        """Their descriptions, in the same order; one that does not answer within ANSWER_S is away."""
        asked = [self._ask(device) for device in devices]
        wait(asked, timeout=ANSWER_S)
        late = Description(away=f"it has not described itself within {ANSWER_S:g} s")
        return [future.result() if future.done() else late for future in asked]

    def _ask(self, device: Device) -> Future[Description]:
        name = device.identity.name
        with self._asking:
            asked = self._asked.get(name)
            if asked is None or asked.done():
                asked = self._asked[name] = self._threads.submit(describe, device)
            return asked
