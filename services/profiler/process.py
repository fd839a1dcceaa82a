"""The agent's side of measuring processes: asks the nursery, and kills it with its child when time is over."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from donna.errors import DonnaError
from services.profiler.failure import CRASHED, OUT_OF_MEMORY, TIMEOUT, failure
from services.profiler.measurement import Measured, MeasurementSettings

LOOK_S = 0.25
START_S = 60.0
COMMAND = (sys.executable, "-m", "services.profiler.nursery")


class Nursery:
    """Fresh measuring children, one at a time. Starts its process with the first measurement."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def measure(
        self,
        model: bytes,
        settings: MeasurementSettings,
        check: Callable[[], None] = lambda: None,
        *,
        canary: bytes = b"",
    ) -> Measured:
        """Measures `model` in a fresh process, which is gone when this returns or raises. `canary` is a model that runs
        in between, to tell the pace of the device.

        `check` is called a few times a second and may raise to give up. Raises FailedPrecondition with one of
        `failure.REASONS`.
        """
        told = settings.to_json() | {"stop_rule": asdict(settings.stop_rule)}
        sizes = {"size_bytes": len(model), "canary_bytes": len(canary)}
        header = json.dumps({"settings": told} | sizes).encode() + b"\n"
        with self._lock:
            try:
                said = self._ask(header + model + canary, settings.deadline_ms, check)
            except BaseException:
                self._kill()
                raise
        return _read(said)

    def close(self) -> None:
        """Ends the process, and a child that is at work."""
        self._kill()

    def _ask(self, request: bytes, deadline_ms: float, check: Callable[[], None]) -> bytes:
        process = self._running(check)
        assert process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        deadline = time.monotonic() + deadline_ms / 1000
        try:
            process.stdin.write(request)
            process.stdin.flush()
        except OSError as error:
            raise failure(CRASHED, "the measuring process has ended; the agent's log may tell why") from error
        late = f"the measurement did not end within {deadline_ms:g} ms and was stopped"
        return _read_line(process, deadline, late, check)

    def _running(self, check: Callable[[], None]) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._kill()
            self._process = subprocess.Popen(  # noqa: S603 - our own module, nothing from a request
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,
            )
            late = f"the measuring process was not ready within {START_S:g} s"
            _read_line(self._process, time.monotonic() + START_S, late, check)
        return self._process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            # The nursery leads a group of its own: its child, and what that may have started, go with it.
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue


def _read_line(
    process: subprocess.Popen[bytes], deadline: float, late: str, check: Callable[[], None]
) -> bytes:
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    said = b""
    while not said.endswith(b"\n"):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise failure(TIMEOUT, late)
        if select.select([process.stdout], [], [], min(LOOK_S, left_s))[0]:
            piece = os.read(process.stdout.fileno(), 1 << 20)
            if not piece:
                raise failure(CRASHED, "the measuring process ended without an answer")
            said += piece
        check()
    return said


def _environment() -> dict[str, str]:
    # One thread in numpy's BLAS: more would make forking unsafe, and the start longer.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def _read(said: bytes) -> Measured:
    answer: dict[str, Any] = json.loads(said)
    if "failed" in answer:
        raise failure(answer["failed"]["reason"], answer["failed"]["message"])
    if "crashed" in answer:
        raise crash(answer["crashed"]["status"], answer["crashed"]["errors"])
    return Measured.from_json(answer["measured"])


def crash(status: int, errors: str) -> DonnaError:
    """What the end of a child without an answer means; `status` is negative for a signal."""
    last = errors.strip().rpartition("\n")[2][:300]
    if status in (-signal.SIGXCPU, -signal.SIGALRM):
        return failure(TIMEOUT, "the measurement used more time than its deadline allows")
    if status == -signal.SIGKILL:
        # Nobody else kills a child alone, except the kernel when memory is short.
        return failure(OUT_OF_MEMORY, "the system killed the measurement, most likely for want of memory")
    if "MemoryError" in errors or "bad_alloc" in errors:
        return failure(OUT_OF_MEMORY, "the network needs more memory than memory_limit_bytes allows")
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return failure(CRASHED, f"the runtime ended by {how}" + (f": {last}" if last else ""))
