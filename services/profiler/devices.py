"""The devices of this agent, each with the lease that keeps its measurements apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from donna.errors import InvalidArgument, NotFound
from services.profiler.device import Device
from services.profiler.lease import DeviceLease


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A device and its lease."""

    device: Device
    lease: DeviceLease = field(default_factory=DeviceLease)


class Devices:
    """All devices of one agent, by name."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._slots = {device.identity.name: Slot(device=device) for device in devices}
        if len(self._slots) < len(devices):
            names = sorted(device.identity.name for device in devices)
            raise InvalidArgument.of("device_id", f"devices need distinct ids, got {names}")

    def __iter__(self) -> Iterator[Slot]:
        """Sorted by name."""
        return (self._slots[name] for name in sorted(self._slots))

    def get(self, name: str) -> Slot:
        """Raises NotFound."""
        try:
            return self._slots[name]
        except KeyError:
            raise NotFound(f"{name} is not a device of this host", metadata={"name": name}) from None

    def only(self) -> Slot:
        """The device meant when none is named. Raises InvalidArgument when there are several."""
        if len(self._slots) != 1:
            raise InvalidArgument.of("device", f"must name one of {', '.join(sorted(self._slots))}")
        return next(iter(self))

    def close(self) -> None:
        """Ends everything that the devices started."""
        for slot in self:
            slot.device.close()
