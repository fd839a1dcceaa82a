"""The phones that a file lists, as devices."""

from __future__ import annotations

from pathlib import Path

from services.profiler.device import Device
from services.profiler.phones.adb_device import AdbDevice
from services.profiler.phones.configuration import read_phones
from services.profiler.phones.connection import Connection


def attached(path: Path) -> list[Device]:
    """One device for each phone in the file. Raises InvalidArgument when the file is wrong; a phone that is away
    is no error, it is not available."""
    told = read_phones(path)
    return [
        AdbDevice(phone, Connection(serial=phone.serial, host=told.adb_host, port=told.adb_port))
        for phone in told.phones
    ]
