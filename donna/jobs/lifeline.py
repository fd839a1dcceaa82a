"""Children that do not outlive their parent, on every operating system and however the parent ends.

The parent holds the only writing end of the child's standard input. When the parent is gone, the pipe closes,
and the child ends itself: nothing stays behind after a SIGKILL.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

VARIABLE = "DONNA_LIFELINE"


def spawn(
    arguments: Sequence[str], *, env: Mapping[str, str] | None = None, output: IO[bytes] | int | None = None
) -> subprocess.Popen[bytes]:
    """Starts `python <arguments>` as a child that ends with this process; its output goes to `output`.

    The child is in a process group of its own, so that Ctrl-C reaches the parent alone, which then stops it.
    """
    return subprocess.Popen(  # noqa: S603 - arguments are ours, never from a request
        [sys.executable, *arguments],
        env={**(os.environ if env is None else env), VARIABLE: "stdin"},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
    )


def hold() -> None:
    """In a child: waits in a thread for the parent to go, then ends this process.

    Does nothing in a process that was not started by `spawn`.
    """
    if os.environ.pop(VARIABLE, "") != "stdin":
        return
    descriptor = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def stop(process: subprocess.Popen[bytes], *, grace_s: float = 5.0) -> None:
    """Asks a child to end (SIGTERM), and makes it after `grace_s` seconds."""
    process.terminate()
    try:
        process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
