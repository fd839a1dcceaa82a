"""What a device is to this service: one small interface, and the two descriptions that go with every number."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from services.profiler.measurement import METHOD_VERSION, Measured, MeasurementSettings


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a device is. `id` is unique in its agent; devices of one `kind` are interchangeable; `providers` are
    the execution providers, the default first; `longest_rest_s` is how long the device may be left to cool before a
    measurement, beside its deadline."""

    id: str
    kind: str
    backend: str
    description: str
    providers: tuple[str, ...]
    longest_rest_s: float = 0.0

    @property
    def name(self) -> str:
        """The name of its resource."""
        return f"devices/{self.id}"


class Device(Protocol):
    """Something that networks are measured on. One measurement at a time: callers see to it."""

    @property
    def identity(self) -> Identity:
        """Who it is; id, backend and providers never change."""

    def fingerprint(self) -> dict[str, str]:
        """What may change a latency and does not change by itself: processor, memory, versions, governor.
        Cheap. Raises Unavailable when the device is away."""

    def state(self) -> dict[str, str]:
        """What changes by itself: temperature, clocks, load, battery; as far as the device tells. Cheap."""

    def unavailable_reason(self) -> str:
        """Why it cannot be measured on now; "" when it can."""

    def turn(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Waits until no other agent measures on the same machine, then keeps them waiting. `check` may raise."""

    def measure(self, model: bytes, settings: MeasurementSettings, check: Callable[[], None]) -> Measured:
        """Measures one complete ONNX model, in a turn. `settings.provider` is one of the identity's providers.

        `check` is called a few times a second and may raise, which ends the measurement. Raises
        FailedPrecondition with one of `failure.REASONS`; afterwards the device is as it was before.
        """

    def close(self) -> None:
        """Ends everything that was started."""


def kind_of(*parts: str) -> str:
    """A kind that searches can name: letters, digits, - and _, at most 63 of them."""
    noise = re.compile(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*", re.IGNORECASE)
    words = "-".join(noise.sub(" ", part) for part in parts)
    return re.sub(r"[^A-Za-z0-9_]+", "-", words).strip("-_")[:63].rstrip("-_") or "unknown"


def fingerprint_sha256(fingerprint: dict[str, str]) -> str:
    """The digest under which measurements are kept, by this agent and by whoever asked: of the device, and of how it is
    measured."""
    told = [METHOD_VERSION, fingerprint]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
