"""What came of measuring a network on a device: a latency, or the reason why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

NOT_RUNNABLE = ("UNSUPPORTED_OP", "OUT_OF_MEMORY", "INVALID_MODEL", "UNMEASURABLE")
"""Reasons that stay true however often a network is tried on a device with the same settings."""

BLAMELESS = (
    *("DEVICE_AWAY", "DEVICE_CHANGED", "DEVICE_TOO_WARM", "STORAGE_FULL"),
    *("CANCELLED", "GONE", "MODEL_MISSING"),
)
"""Reasons that have nothing to do with the network: it is tried again however often they come."""

UNSTABLE = "UNSTABLE"
"""The note of a latency that did not settle."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A latency, or why there is none, at the device's steady pace. `medians_ms` holds that of every measurement made.

    `note` is "" for a settled latency, UNSTABLE for one that did not settle, else the reason of the failure.
    `job` is the search that measured it.
    """

    latency_ms: float | None
    medians_ms: tuple[float, ...] = ()
    low_ms: float = 0.0
    high_ms: float = 0.0
    note: str = ""
    message: str = ""
    site: str = ""
    fingerprint: str = ""
    cached: bool = False
    device_s: float = 0.0
    job: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"medians_ms": list(self.medians_ms)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Record:
        """The inverse of `to_dict`."""
        return cls(**{**values, "medians_ms": tuple(values["medians_ms"])})


class MeasurementEnded(Exception):
    """A measurement is over and has no latency; `reason` is the profiler's word, or one of ours.

    The next attempt needs another request_id.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
