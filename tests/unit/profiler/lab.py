"""A phone lab on loopback: an adb server of the test's own, and phones attached to it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

from services.profiler.phones.adb_device import AdbDevice
from services.profiler.phones.configuration import Phones
from services.profiler.phones.connection import Connection
from tests.unit.profiler.adb_daemon import QUICK_RUNNER, RUNNER, PhoneDaemon


class Lab:
    """An adb server of the test's own, and phones attached to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.env = os.environ | {
            "HOME": str(folder),
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "ADB_MDNS": "0",
        }
        self.runner = folder / "onnxruntime_perf_test"
        self.runner.write_text(RUNNER)
        self.quick = folder / "quick_runner"
        self.quick.write_text(QUICK_RUNNER)
        self.adb("start-server")
        self.phones: list[PhoneDaemon] = []

    def adb(self, *arguments: str) -> str:
        ran = subprocess.run(["adb", *arguments], env=self.env, capture_output=True, text=True, timeout=30)
        return ran.stdout + ran.stderr

    def plug_in(self, **told: bool) -> PhoneDaemon:
        phone = PhoneDaemon(self.folder / f"phone{len(self.phones)}", **told)
        self.phones.append(phone)
        self.adb("connect", phone.serial)
        deadline = time.monotonic() + 10
        wanted = "device" if phone.authorised else "unauthorized"
        while f"{phone.serial}\t{wanted}" not in self.adb("devices"):
            assert time.monotonic() < deadline, self.adb("devices")
            time.sleep(0.1)
        return phone

    def configured(self, phone: PhoneDaemon, **runner: object) -> dict[str, object]:
        told = {"file": str(self.quick)} | runner
        return {"serial": phone.serial, "runner": told, "cool_down_s": 0}

    def device(self, phone: PhoneDaemon, *, cool_down_s: float = 0, **runner: object) -> AdbDevice:
        told = self.configured(phone, **runner) | {"cool_down_s": cool_down_s}
        phones = Phones.model_validate({"phones": [told]})
        connection = Connection(serial=phone.serial, host="127.0.0.1", port=self.port)
        return AdbDevice(phones.phones[0], connection)

    def close(self) -> None:
        for phone in self.phones:
            try:
                phone.unplug()
            except OSError:
                continue
        self.adb("kill-server")
