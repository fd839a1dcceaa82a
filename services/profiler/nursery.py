"""`python -m services.profiler.nursery`: a process that has numpy and onnxruntime imported, and nothing running.

It forks a fresh child for every measurement. A child so starts in a millisecond instead of a quarter of a
second, from the same state each time; what it breaks dies with it. Forking is safe here: this process never
opens a session, never touches a device and starts no thread (the runtime may have one of its own, asleep).

Standard input: for each measurement one line of JSON `{"settings", "size_bytes", "canary_bytes"}`, then the model, then
the canary, if there is to be one.
Standard output: the line `ready`, then one line of JSON for each: `{"measured"}` or `{"failed"}` from the child,
`{"crashed": {"status", "errors"}}` when it ended without an answer.
It ends, and kills a running child, when its input is closed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import traceback
from typing import Any

import numpy as np

from services.profiler import child, limits
from services.profiler.stopping import stable

READY = b"ready\n"
MAX_ERRORS = 4000


def main() -> None:
    """Serves until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Whatever native code prints must not get between the answers.
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    # Numpy imports parts of itself when they are first used; children shall find them here, they open no files.
    stable(np.linspace(1.0, 2.0, 100), 0.02)
    answers.write(READY)
    while line := requests.readline():
        request = json.loads(line)
        model, canary = requests.read(request["size_bytes"]), requests.read(request["canary_bytes"])
        answers.write(json.dumps(raise_child(model, canary, request["settings"])).encode() + b"\n")
        del model


def raise_child(model: bytes, canary: bytes, settings: dict[str, Any]) -> dict[str, Any]:
    """The answer of a fresh child, or how it ended without one."""
    answer, answering = os.pipe()
    noise, complaining = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(answer)
            os.close(noise)
            os.dup2(complaining, 1)
            os.dup2(complaining, 2)
            limits.die_with_parent(parent)
            child.main(model, canary, settings, answering)
        except BaseException:
            traceback.print_exc()
        finally:
            # Whatever happens, the child must never come back into the nursery's own loop.
            os._exit(70)
    os.close(answering)
    os.close(complaining)
    said, errors = _listen(answer, noise, pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        return json.loads(said)
    except ValueError:
        return {"crashed": {"status": status, "errors": errors.decode(errors="replace")}}


def _listen(answer: int, noise: int, pid: int) -> tuple[bytes, bytes]:
    """What the child writes until it ends, and the end of what it complains of.

    Ends everything when the agent is gone.
    """
    heard = {answer: b"", noise: b""}
    listening = {answer, noise}
    while answer in listening:
        ready = select.select([*listening, 0], [], [])[0]
        if 0 in ready:
            # The agent waits for the answer before it sends more, so this is the end of the input.
            os.kill(pid, signal.SIGKILL)
            os._exit(1)
        for pipe in ready:
            piece = os.read(pipe, 1 << 16)
            heard[pipe] = heard[pipe] + piece if pipe == answer else (heard[pipe] + piece)[-MAX_ERRORS:]
            if not piece:
                listening.discard(pipe)
    if noise in listening:
        os.set_blocking(noise, False)
        try:
            heard[noise] = (heard[noise] + os.read(noise, 1 << 16))[-MAX_ERRORS:]
        except BlockingIOError:
            pass
    os.close(answer)
    os.close(noise)
    return heard[answer], heard[noise]


if __name__ == "__main__":
    main()
