"""A phone on loopback: speaks the ADB protocol to a real adb server and runs what it is sent, on this machine.

It keeps its storage in a folder; /data/local/tmp of commands and files is that folder. The protocol is that of
AOSP's packages/modules/adb/protocol.txt and SYNC.TXT: messages of six little-endian words and a payload.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

CNXN, OPEN, OKAY, CLSE, WRTE, AUTH = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE", b"AUTH")
)
VERSION, MAX_DATA = 0x01000001, 1 << 16
STORAGE = "/data/local/tmp"

RUNNER = f"""#!{sys.executable}
import argparse, time
import numpy, onnxruntime
parser = argparse.ArgumentParser()
parser.add_argument("-I", action="store_true")
for name in "m e i".split():
    parser.add_argument("-" + name)
for name in "r x o".split():
    parser.add_argument("-" + name, type=int)
parser.add_argument("model")
parser.add_argument("result")
told = parser.parse_args()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = told.x
session = onnxruntime.InferenceSession(told.model, options, providers=["CPUExecutionProvider"])
x = {{v.name: numpy.zeros(v.shape, "float32") for v in session.get_inputs()}}
with open(told.result, "a") as result:
    for run in range(told.r):
        start = time.perf_counter()
        session.run(None, x)
        print("model", time.perf_counter() - start, 34000000, 50, run, sep=",", file=result)
print("Total iterations:", told.r)
"""

QUICK_RUNNER = """#!/bin/sh
# Takes the arguments that PerfTest makes; hangs on models with a loop, tells 1.00 to 1.02 ms for others.
grep -q Loop "${12}" && mkfifo "$0.$$" && read -r _ < "$0.$$"
i=0
while [ $i -lt "$5" ]; do echo "m,0.0010$((i % 3)),34000000,5,$i" >> "${13}"; i=$((i + 1)); done
"""

PKILL = f"""#!{sys.executable}
import glob, os, re, signal, sys
assert sys.argv[1:3] == ["-KILL", "-f"]
mine = b"PHONE=" + os.environb[b"PHONE"]
for folder in glob.glob("/proc/[0-9]*"):
    try:
        environment, line = (open(f"{{folder}}/{{name}}", "rb").read() for name in ("environ", "cmdline"))
    except OSError:
        continue
    pid = int(folder[6:])
    if mine in environment.split(b"\\0") and pid != os.getpid():
        if re.search(sys.argv[3].encode(), line.replace(b"\\0", b" ")):
            os.kill(pid, signal.SIGKILL)
"""

COMMANDS = {
    "getprop": """
        echo '[ro.product.manufacturer]: [Loopback]'
        echo '[ro.product.model]: [Model One]'
        echo '[ro.product.cpu.abi]: [arm64-v8a]'
        echo '[ro.build.version.release]: [14]'
        echo '[ro.irrelevant]: [x]'""",
    "dumpsys": """
        case $1 in
        battery) printf 'Current Battery Service state:\\n  AC powered: false\\n  USB powered: true\\n'
                 printf '  Wireless powered: false\\n  level: 87\\n'
                 echo "  temperature: $(cat "$PHONE/temperature")" ;;
        thermalservice) echo 'IsStatusOverride: false'; echo 'Thermal Status: 0' ;;
        deviceidle) echo "doze $2" >> "$PHONE/calls" ;;
        esac""",
    "input": 'echo "input $*" >> "$PHONE/calls"',
    "svc": 'echo "svc $*" >> "$PHONE/calls"',
    "df": 'echo "Filesystem 1K-blocks Used Available Use% Mounted"; echo "/dev/x 100 1 $(cat "$PHONE/free") 1% /data"',
}


class PhoneDaemon:
    """Listens on a loopback port of its own. `authorised` False refuses every key; `full` fails every push, `stuck`
    never ends one."""

    def __init__(self, folder: Path, *, authorised: bool = True) -> None:
        self.folder = folder
        self.authorised = authorised
        self.full = self.stuck = False
        self.pushed: list[str] = []
        self.commands: list[str] = []
        (folder / "storage").mkdir(parents=True)
        (folder / "bin").mkdir()
        (folder / "free").write_text("1000000")
        (folder / "temperature").write_text("291")
        (folder / "calls").touch()
        for name, script in COMMANDS.items():
            path = folder / "bin" / name
            path.write_text(f"#!/bin/sh\n{textwrap.dedent(script)}\n")
            path.chmod(0o755)
        (folder / "bin" / "pkill").write_text(PKILL)
        (folder / "bin" / "pkill").chmod(0o755)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.serial = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        self._running: list[subprocess.Popen[bytes]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def unplug(self) -> None:
        """The cable is pulled: connections break, programs end, nothing answers any more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=_Link(self, connection).serve, daemon=True).start()

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Runs a shell command as the phone would."""
        self.commands.append(command)
        env = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "PHONE": str(self.folder)}
        process = subprocess.Popen(
            ["/bin/sh", "-c", command.replace(STORAGE, str(self.folder / "storage"))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=self.folder,
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def path(self, name: str) -> Path:
        """Where a file of the phone is on this machine."""
        assert name.startswith(STORAGE)
        return self.folder / "storage" / name[len(STORAGE) :].lstrip("/")


class _Link:
    """One transport: many streams, each acknowledged message by message."""

    def __init__(self, phone: PhoneDaemon, connection: socket.socket) -> None:
        self._phone = phone
        self._connection = connection
        self._writing = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def send(self, command: int, arg0: int, arg1: int, data: bytes = b"") -> None:
        header = struct.pack(
            "<6I", command, arg0, arg1, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF
        )
        with self._writing:
            self._connection.sendall(header + data)

    def serve(self) -> None:
        try:
            while header := self._exactly(24):
                command, arg0, arg1, length, _, _ = struct.unpack("<6I", header)
                self._handle(command, arg0, arg1, self._exactly(length))
        except OSError:
            pass
        finally:
            for stream in self._streams.values():
                stream.end()

    def _handle(self, command: int, arg0: int, arg1: int, data: bytes) -> None:
        if command in (CNXN, AUTH) and not self._phone.authorised:
            self.send(AUTH, 1, 0, b"t" * 20)
        elif command == CNXN:
            banner = (
                b"device::ro.product.name=loopback;ro.product.model=One;ro.product.device=one;features=\0"
            )
            self.send(CNXN, VERSION, MAX_DATA, banner)
        elif command == OPEN:
            stream = _Stream(self, number=len(self._streams) + 1, peer=arg0)
            self._streams[stream.number] = stream
            stream.start(self._phone, data.rstrip(b"\0").decode())
        elif command in (WRTE, OKAY, CLSE) and arg1 in self._streams:
            self._streams[arg1].handle(command, data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._connection.recv(size - len(data))
            if not piece:
                return b""
            data += piece
        return data


class _Stream:
    """One service on a transport: a shell command, or file sync."""

    def __init__(self, link: _Link, *, number: int, peer: int) -> None:
        self.number = number
        self._link, self._peer = link, peer
        self._acknowledged = threading.Semaphore(1)
        self._arrived = threading.Condition()
        self._data = b""
        self._ended = False

    def start(self, phone: PhoneDaemon, service: str) -> None:
        kind, _, rest = service.partition(":")
        serve: dict[str, Callable[[], None]] = {
            "shell": lambda: self._shell(phone, rest),
            "sync": lambda: self._sync(phone),
        }
        if kind not in serve:
            self._link.send(CLSE, 0, self._peer)
            return
        self._link.send(OKAY, self.number, self._peer)
        threading.Thread(target=self._serve, args=(serve[kind],), daemon=True).start()

    def _serve(self, service: Callable[[], None]) -> None:
        try:
            service()
            self._link.send(CLSE, self.number, self._peer)
        except (OSError, EOFError):
            pass

    def handle(self, command: int, data: bytes) -> None:
        if command == OKAY:
            self._acknowledged.release()
        elif command == WRTE:
            with self._arrived:
                self._data += data
                self._arrived.notify_all()
            self._link.send(OKAY, self.number, self._peer)
        else:
            self.end()

    def end(self) -> None:
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()
        self._acknowledged.release()

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), MAX_DATA):
            self._acknowledged.acquire()
            if self._ended:
                raise EOFError
            self._link.send(WRTE, self.number, self._peer, data[start : start + MAX_DATA])

    def _read(self, size: int) -> bytes:
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._data) >= size or self._ended)
            if len(self._data) < size:
                raise EOFError
            data, self._data = self._data[:size], self._data[size:]
            return data

    def _shell(self, phone: PhoneDaemon, command: str) -> None:
        process = phone.start(command)
        assert process.stdout is not None
        while piece := process.stdout.read1(MAX_DATA):
            self._write(piece)
        process.wait()

    def _sync(self, phone: PhoneDaemon) -> None:
        while True:
            kind, size = struct.unpack("<4sI", self._read(8))
            if kind == b"QUIT":
                return
            name = self._read(size).decode()
            if kind == b"STAT":
                path = phone.path(name)
                told = (0o100644, path.stat().st_size, 1) if path.is_file() else (0, 0, 0)
                told = (0o040755, 0, 1) if path.is_dir() else told
                self._write(struct.pack("<4s3I", b"STAT", *told))
            elif kind == b"SEND":
                self._receive(phone, *name.rsplit(",", 1))

    def _receive(self, phone: PhoneDaemon, name: str, mode: str) -> None:
        data = b""
        while True:
            kind, size = struct.unpack("<4sI", self._read(8))
            if kind == b"DONE":
                break
            data += self._read(size)
        if phone.stuck:
            return
        if phone.full:
            complaint = b"No space left on device"
            self._write(struct.pack("<4sI", b"FAIL", len(complaint)) + complaint)
            return
        path = phone.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(int(mode) & 0o777)
        phone.pushed.append(name)
        self._write(struct.pack("<4sI", b"OKAY", 0))
