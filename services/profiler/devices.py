"""The devices of this agent, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from donna.errors import InvalidArgument, NotFound
from services.profiler.device import Device


class Devices:
    """All devices of one agent, by name."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = {device.identity.name: device for device in devices}
        if len(self._devices) < len(devices):
            names = sorted(device.identity.name for device in devices)
            raise InvalidArgument.of("device_id", f"devices need distinct ids, got {names}")

    def __iter__(self) -> Iterator[Device]:
        """Sorted by name."""
        return (self._devices[name] for name in sorted(self._devices))

    def get(self, name: str) -> Device:
        """Raises NotFound."""
        try:
            return self._devices[name]
        except KeyError:
            raise NotFound(f"{name} is not a device of this host", metadata={"name": name}) from None

    def only(self) -> Device:
        """The device meant when none is named. Raises InvalidArgument when there are several."""
        if len(self._devices) != 1:
            raise InvalidArgument.of("device", f"must name one of {', '.join(sorted(self._devices))}")
        return next(iter(self))

    def close(self) -> None:
        """Ends everything that the devices started."""
        for device in self:
            device.close()
