"""What the host's end of adb does where no phone and no adb server are needed."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress

import pytest

from donna.errors import DonnaError, Unavailable
from services.profiler.failure import DEVICE_LOST, TIMEOUT, failure
from services.profiler.phones.adb_device import AdbDevice
from services.profiler.phones.allowance import Allowance
from services.profiler.phones.configuration import Phone
from services.profiler.phones.connection import Connection


def test_a_server_that_hangs_or_does_not_start_is_told(monkeypatch):
    monkeypatch.setattr("services.profiler.phones.connection.ANSWER_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        hanging = Connection(serial="x", host="127.0.0.1", port=silent.getsockname()[1])
        assert "the adb server does not answer" in hanging.unavailable_reason()
        assert time.monotonic() - began < 10

    def slow(*_, timeout, **__):
        raise subprocess.TimeoutExpired("adb", timeout)

    monkeypatch.setattr(subprocess, "run", slow)
    stopped = Connection(serial="x", host="127.0.0.1", port=1)
    assert "adb start-server did not end within 20 s" in stopped.unavailable_reason()


class Cable:
    """A connection to a phone that tells what it is told to."""

    def __init__(self) -> None:
        self.away, self.android = "", "14"
        self.broken: str | None = None
        self.commands: list[str] = []

    def unavailable_reason(self) -> str:
        return self.away

    def text(self, *arguments: str) -> str:
        self.commands.append(" ".join(arguments))
        if self.commands[-1] == self.broken:
            raise failure(DEVICE_LOST, "phone x does not answer")
        return f"[ro.build.version.release]: [{self.android}]\n" if arguments == ("getprop",) else ""


@pytest.fixture
def cable() -> Cable:
    return Cable()


@pytest.fixture
def phone(tmp_path, cable) -> AdbDevice:
    runner = tmp_path / "runner"
    runner.touch()
    return AdbDevice(Phone.model_validate({"serial": "x", "runner": {"file": str(runner)}}), cable)


@pytest.mark.parametrize("broken", ["svc power stayon true", "dumpsys deviceidle enable"])
def test_a_phone_is_put_back_whatever_fails(phone, cable, broken):
    cable.broken = broken
    with suppress(DonnaError), phone._calm():
        pass
    assert cable.commands[-2:] == ["dumpsys deviceidle enable", "svc power stayon false"]


def test_a_phone_that_leaves_while_it_describes_itself_is_away(phone, cable):
    cable.broken = "uname -r"
    with pytest.raises(Unavailable, match="does not answer"):
        phone.fingerprint()


def test_a_phone_whose_shell_hangs_is_lost(monkeypatch):
    connection = Connection(serial="x", host="127.0.0.1", port=1)

    def hang(*_):
        raise failure(TIMEOUT, "phone x did not end its run within 15 s")

    monkeypatch.setattr(connection, "_converse", hang)
    monkeypatch.setattr(connection, "unavailable_reason", lambda: "")
    with pytest.raises(DonnaError, match=r"does not answer \(getprop did not end within 15 s\)") as caught:
        connection.text("getprop")
    assert caught.value.reason == DEVICE_LOST


def test_a_phone_that_was_away_is_asked_again_who_it_is(phone, cable):
    assert phone.fingerprint()["android"] == "14"
    cable.android = "15"
    assert phone.fingerprint()["android"] == "14"  # nothing that a phone changes while it runs
    cable.away = "phone x is offline"
    with pytest.raises(Unavailable, match="is offline"):
        phone.fingerprint()
    cable.away = ""
    assert phone.fingerprint()["android"] == "15"


def test_rest_does_not_count_against_the_deadline():
    now = [100.0]
    allowance = Allowance(10.0, 5.0, clock=lambda: now[0])
    now[0] += 4
    with allowance.resting():
        now[0] += 3
        assert allowance.rest_left_s == 2
    assert (allowance.left_s, allowance.rest_left_s) == (6, 2)
    with allowance.resting():
        now[0] += 4
        assert allowance.rest_left_s == -2
    assert allowance.left_s == 6
