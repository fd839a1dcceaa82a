"""The process behind `donna up`: it holds the services until it is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from donna.errors import FailedPrecondition, InvalidArgument, Unavailable
from donna.local import START_DEADLINE_S, services
from donna.running import Running, running

STOP_DEADLINE_S = 30.0
LOOK_S = 1.0


def hold(state: Path) -> None:
    """Runs the services in this process until SIGINT or SIGTERM. Raises FailedPrecondition when others run, and
    Unavailable when one of them has ended."""
    taken = FailedPrecondition(f"services run on {state} already", reason="ALREADY_RUNNING")
    if running(state.absolute()) is not None:
        raise taken
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    with services(state, lasting=True) as client:
        found = running(state.absolute())
        if found is None or found.pid != os.getpid():
            raise taken  # by one that started at the same time: nobody would find these
        while not ending.wait(LOOK_S):
            client.while_away()  # ends all of them when one has ended: commands then start their own


def start(state: Path) -> Running:
    """Starts a process that holds the services, or finds the one that does. Raises Unavailable."""
    found = running(state.absolute())
    if found is not None and found.lasting:
        return found
    log = state.absolute() / "logs" / "up.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("ab")
    except OSError as error:
        raise InvalidArgument.of("--state", f"{state} cannot be written: {error.strerror}") from None
    with output:
        process = subprocess.Popen(  # noqa: S603 - arguments are ours
            [sys.executable, "-m", "donna.cli", "up", "--foreground", "--state", str(state.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        found = _announced(process, state)
    except BaseException:  # Ctrl-C: it is in a session of its own, and would come up all the same
        process.terminate()
        raise
    if found is not None:
        return found
    process.terminate()
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise Unavailable(f"the services did not start: {''.join(last)} (see {log})")


def _announced(process: subprocess.Popen[bytes], state: Path) -> Running | None:
    """The services of a process, or of another that was first, as soon as they are found; None when it has ended, or
    does not get there."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        found = running(state.absolute())
        if found is not None and found.lasting:
            return found
        time.sleep(0.05)
    return None


def stop(state: Path) -> bool:
    """Ends the services of `donna up`; False when there are none."""
    found = running(state.absolute())
    if found is None or not found.lasting:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_DEADLINE_S
    while running(state.absolute()) is not None:
        if time.monotonic() > deadline:
            raise Unavailable(f"process {found.pid} does not end; its log is in {state}/logs")
        time.sleep(0.05)
    return True
