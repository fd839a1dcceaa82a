"""The five services and the command as a supervisor keeps them: each is started again when it is gone."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from donna.jobs import lifeline

ROOT = Path(__file__).parents[2]
SERVICES = ("profiler", "predictor", "distiller", "finetuner", "searcher")
PHASE = re.compile(r"^(\w.*?) …")
_MODULE = re.compile(r"services\.(\w+(?:\.\w+)?)")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


class Supervised:
    """All services on fixed ports over one state folder. `restarts` counts how often each was started again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self.restarts = dict.fromkeys(SERVICES, 0)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        (state / "logs").mkdir(parents=True, exist_ok=True)

    @property
    def endpoints(self) -> str:
        """As DONNA_ENDPOINTS wants them."""
        return ",".join(f"{service}=127.0.0.1:{port}" for service, port in self.ports.items())

    def start(self) -> None:
        """Starts all services and keeps them."""
        for service in SERVICES:
            self._start(service)
        self._thread.start()

    def _start(self, service: str) -> None:
        prefix = f"DONNA_{service.upper()}_"
        told = {"STATE": str(self.state), "LISTEN": f"127.0.0.1:{self.ports[service]}"}
        if service == "searcher":
            told["PREDICTOR"] = f"127.0.0.1:{self.ports['predictor']}"
            told["PROFILERS"] = f"local=127.0.0.1:{self.ports['profiler']}"
        env = os.environ | {prefix + name: value for name, value in told.items()} | {"PYTHONPATH": str(ROOT)}
        with (self.state / "logs" / f"{service}.log").open("ab") as log:
            self._processes[service] = lifeline.spawn(["-m", f"services.{service}"], env=env, output=log)

    def _keep(self) -> None:
        while not self._stopping.wait(0.1):
            for service, process in list(self._processes.items()):
                if process.poll() is not None:
                    self.restarts[service] += 1
                    self._start(service)

    def stop(self) -> None:
        """Ends the services as SIGTERM would."""
        self._stopping.set()
        self._thread.join()
        for process in self._processes.values():
            lifeline.stop(process)

    def serving(self) -> bool:
        """Whether all of them can be connected to."""
        for port in self.ports.values():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            except OSError:
                return False
        return True

    def victims(self) -> dict[str, list[psutil.Process]]:
        """Every process of these services by what it is: `distiller`, `distiller.worker`, `profiler.nursery`."""
        found: dict[str, list[psutil.Process]] = {}
        for child in psutil.Process().children(recursive=True):
            try:
                module = _MODULE.search(" ".join(child.cmdline()))
                ours = any(value == str(self.state) for value in child.environ().values())
            except psutil.Error:
                continue
            if module and ours:
                found.setdefault(module[1], []).append(child)
        return found


class Command:
    """`donna run`, started again until it is through; `gave_up` counts ends because a service was away for long."""

    def __init__(self, spec: Path, output: Path, endpoints: str) -> None:
        self.starts = self.gave_up = 0
        self.phase = "Starting"
        self.seconds_in: Counter[str] = Counter()
        self._since = time.monotonic()
        self.said: list[str] = []
        self._arguments = [sys.executable, "-m", "donna.cli", "run", str(spec), "--output", str(output)]
        self._env = os.environ | {"DONNA_ENDPOINTS": endpoints, "PYTHONPATH": str(ROOT)}
        self._start()

    def _start(self) -> None:
        self.starts += 1
        self.process = subprocess.Popen(
            self._arguments,
            env=self._env,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if found := PHASE.match(line):
                self._enter(found[1])

    def _enter(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds_in[self.phase] += now - self._since
        self.phase, self._since = phase, now

    def ended(self) -> bool:
        """True when it is through. One that was killed, or gave up because a service was away, is started again."""
        code = self.process.poll()
        if code is None:
            return False
        self._reader.join(10)
        if code == 0:
            self._enter("")
            return True
        # 3 is also the code of a job that failed; the ledger tells whether one did.
        assert code in (-9, 3), "\n".join(self.said[-20:])
        self.gave_up += code == 3
        self._start()
        return False


@contextmanager
def supervised(state: Path) -> Iterator[Supervised]:
    """Services for as long as the context lasts."""
    services = Supervised(state)
    services.start()
    try:
        yield services
    finally:
        services.stop()
        deadline = time.monotonic() + 20
        while services.victims() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not services.victims(), "something was left behind"
