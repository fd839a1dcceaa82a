"""The five services as child processes on free loopback ports: DONNA on one machine.

They are the same programs as in a cluster, spoken to over gRPC; they end with this process, however it ends.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from donna.client import Client, Endpoints
from donna.errors import FailedPrecondition, InvalidArgument, Unavailable
from donna.jobs import lifeline
from donna.running import announced

START_DEADLINE_S = 120.0
DEVICE = "local"
WORKERS_STAY = {"finetuner": {"WORKER_IDLE_S": "60"}}
"""Phases of a run follow each other within a minute here, and a new worker costs seconds."""
SERVICES = ("profiler", "predictor", "distiller", "finetuner", "searcher")


class _Process:
    """One service as a child process, its log beside its state."""

    def __init__(self, service: str, state: Path, announcements: Path, settings: Mapping[str, str]) -> None:
        self.service = service
        self.log = state / "logs" / f"{service}.log"
        self._address_file = announcements / service
        prefix = f"DONNA_{service.upper()}_"
        environment = {
            **os.environ,
            f"{prefix}STATE": str(state),
            f"{prefix}ADDRESS_FILE": str(self._address_file),
            **{f"{prefix}{name}": value for name, value in settings.items()},
        }
        with self.log.open("ab") as output:
            self.process: subprocess.Popen[bytes] = lifeline.spawn(
                ["-m", f"services.{service}"], env=environment, output=output
            )

    def address(self) -> str:
        """Where it serves. Raises Unavailable, with the end of its log, when it does not start."""
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._address_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"the {self.service} did not start: {self._last_line()} (see {self.log})")
            time.sleep(0.02)
        return self._address_file.read_text()

    def check(self) -> None:
        """Raises Unavailable when it has ended: it will not answer again, however long one waits."""
        if (code := self.process.poll()) is not None:
            raise Unavailable(
                f"the {self.service} has ended with code {code}: {self._last_line()} (see {self.log})",
                reason="SERVICE_ENDED",
            )

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "its log is empty"


@contextmanager
def services(
    state: Path | str = ".donna",
    *,
    profilers: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    only: Collection[str] = SERVICES,
    lasting: bool = False,
    to_profilers: Mapping[str, str] | None = None,
) -> Iterator[Client]:
    """A client to the five services; those without a `given` address are started here and stopped at the end.

    With `only`, just these services are started; the searcher brings the predictor and the profiler along.
    `lasting` services are left to other commands too, which find them by the state folder.
    `profilers` are further devices, name to host:port, beside this machine, which is called "local"; `to_profilers`
    are settings of the searcher (PEER_TOKEN_FILE, PEER_TLS_CA, ...) with which it proves to them who it is, and to
    nobody on this machine.
    State and logs are kept in the folder `state`, so that work goes on where it was. Raises InvalidArgument when it
    cannot be written, and FailedPrecondition where only the SDK is installed.
    """
    if find_spec("sqlalchemy") is None:
        raise FailedPrecondition(
            "only the SDK is installed: services on this machine need donna[local], others need their --endpoint"
        )
    folder, given = Path(state).absolute(), dict(given or {})
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "logs" / f".{os.getpid()}").touch()
        (folder / "logs" / f".{os.getpid()}").unlink()
    except OSError as error:
        raise InvalidArgument.of("--state", f"{folder} cannot be written: {error.strerror}") from None
    with ExitStack() as stack:
        announcements = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="donna-")))
        started: dict[str, _Process] = {}

        def start(service: str, **settings: str) -> None:
            stay = WORKERS_STAY.get(service, {})
            chosen = {n: v for n, v in stay.items() if f"DONNA_{service.upper()}_{n}" not in os.environ}
            started[service] = _Process(service, folder, announcements, {**chosen, **settings})
            stack.callback(lifeline.stop, started[service].process)

        needed = set(only) | ({"predictor", "profiler"} if "searcher" in only else set())
        for service in SERVICES:
            if service in needed and service != "searcher" and service not in given:
                start(service)

        def address(service: str) -> str:
            return started[service].address() if service in started else given.get(service, "")

        devices = {DEVICE: address("profiler")} if "profiler" in needed else {}
        devices |= profilers or {}
        if "searcher" in needed and "searcher" not in given:
            start(
                "searcher",
                PREDICTOR=address("predictor"),
                PROFILERS=",".join(f"{name}={where}" for name, where in devices.items()),
                **({**to_profilers, "PLAIN_PEERS": f"predictor,{DEVICE}"} if to_profilers else {}),
            )
        endpoints = Endpoints(
            distiller=address("distiller"),
            finetuner=address("finetuner"),
            predictor=address("predictor"),
            searcher=address("searcher"),
            profilers=devices,
        )
        if set(started) == set(SERVICES):
            stack.enter_context(announced(folder, endpoints, lasting=lasting))

        def check() -> None:
            for process in started.values():
                process.check()

        yield stack.enter_context(Client(endpoints, while_away=check))
