"""One phone behind the adb server: commands, files, and what it means when it does not answer."""

from __future__ import annotations

import shlex
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import adbutils
from adbutils.errors import AdbError, AdbTimeout

from donna.errors import DonnaError
from services.profiler.failure import DEVICE_LOST, STORAGE_FULL, TIMEOUT, failure
from services.profiler.phones.reading import free_bytes

LOOK_S = 0.25
QUICK_S = 15.0
ANSWER_S = 30
"""How long the adb server, or a phone that is sent a file, may say nothing."""
MAX_OUTPUT_BYTES = 64 << 20
_EXIT = "donna-exit:"
_STATES = {
    "unauthorized": "has not authorised this host; confirm on its screen",
    "authorizing": "has not authorised this host; confirm on its screen",
    "offline": "is offline",
    "no permissions": "cannot be opened by this user; see adb's udev rules",
}


class _Client(adbutils.AdbClient):
    """One that waits for no answer for ever. The kernel's timeouts, not Python's: with those `send`, which adbutils
    sends files by, may send a part of what it is given and say nothing."""

    def make_connection(self, timeout: float | None = None) -> adbutils.AdbConnection:
        try:
            connection = super().make_connection(timeout)
        except subprocess.TimeoutExpired as error:
            raise AdbTimeout(f"adb start-server did not end within {error.timeout:g} s") from error
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connection.conn.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", ANSWER_S, 0))
        return connection


class Connection:
    """A phone chosen by its serial number. Every method raises FailedPrecondition (DEVICE_LOST) when it is gone."""

    def __init__(self, *, serial: str, host: str, port: int) -> None:
        self.serial = serial
        self._client = _Client(host=host, port=port)

    def unavailable_reason(self) -> str:
        """Why it cannot be used now; "" when it can."""
        try:
            known = {info.serial: info.state for info in self._client.list()}
        except (AdbError, OSError) as error:
            return f"the adb server does not answer ({error})"
        state = known.get(self.serial)
        if state == "device":
            return ""
        what = _STATES.get(state, f"is in state {state!r}") if state else "is not connected"
        return f"phone {self.serial} {what}"

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout_s: float = QUICK_S,
        check: Callable[[], None] = lambda: None,
    ) -> tuple[int, str]:
        """(exit status, output) of a command given as a list. Raises FailedPrecondition (TIMEOUT) as well.

        On the phone `timeout` ends the command when our end is gone.
        """
        command = shlex.join(["timeout", "-s", "KILL", f"{timeout_s:.0f}", *arguments])
        said = self._converse(f"{command} 2>&1; echo {_EXIT}$?", timeout_s, check)
        output, marker, status = said.rpartition(_EXIT)
        if not marker or not status.strip().isdigit():
            # The shell always prints the marker, unless the phone went away in the middle.
            raise self.lost("in the middle of a command")
        return int(status), output

    def _converse(self, command: str, timeout_s: float, check: Callable[[], None]) -> str:
        deadline = time.monotonic() + timeout_s
        said = b""
        try:
            with self._client.device(self.serial).open_shell(command) as stream:
                stream.conn.settimeout(LOOK_S)
                while len(said) < MAX_OUTPUT_BYTES:
                    check()
                    if time.monotonic() > deadline:
                        raise failure(
                            TIMEOUT, f"phone {self.serial} did not end its run within {timeout_s:g} s"
                        )
                    try:
                        piece = stream.recv(1 << 16)
                    except (AdbTimeout, TimeoutError):
                        continue
                    if not piece:
                        break
                    said += piece
        except (AdbError, OSError) as error:
            raise self.lost(str(error)) from error
        return said.decode(errors="replace").replace("\r\n", "\n")

    def text(self, *arguments: str) -> str:
        """Output of a quick command; "" when the phone does not have it or refuses."""
        try:
            status, output = self.run(arguments)
        except DonnaError as error:
            if error.reason == TIMEOUT:
                raise self.lost(f"{arguments[0]} did not end within {QUICK_S:g} s") from error
            raise
        return output if status == 0 else ""

    def push(self, source: bytes | Path, target: str, *, mode: int = 0o644) -> None:
        """Writes a file. Raises FailedPrecondition (STORAGE_FULL) when it does not fit."""
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        folder = target.rpartition("/")[0]
        self._need_space(folder, size)
        try:
            self._client.device(self.serial).sync.push(source, target, mode, check=True)
        except BlockingIOError as error:  # what a timeout of the kernel becomes
            raise self.lost(f"nothing heard for {ANSWER_S} s while it was sent a file") from error
        except (AdbError, OSError) as error:
            if self.unavailable_reason():
                raise self.lost(str(error)) from error
            self.text("rm", "-f", target)
            self._need_space(folder, size)
            raise failure(STORAGE_FULL, f"phone {self.serial} refused a file of {size} bytes") from error

    def _need_space(self, folder: str, size: int) -> None:
        free = free_bytes(self.text("df", "-k", folder))
        if free is not None and free < size:
            raise failure(STORAGE_FULL, f"phone {self.serial} has {free} bytes left, {size} are needed")

    def lost(self, why: str) -> Exception:
        """The error for a phone that went away."""
        reason = self.unavailable_reason() or f"phone {self.serial} does not answer"
        return failure(DEVICE_LOST, f"{reason} ({' '.join(why.split())[:120]})")
