"""Children do not outlive their parent."""

import os
import signal
import subprocess
import sys

from donna.jobs import lifeline
from tests.unit.jobs.clock import eventually
from tests.unit.jobs.test_processes import gone

CHILD = """
import os, threading
from donna.jobs import lifeline
lifeline.hold()
print(os.getpid(), flush=True)
threading.Event().wait()
"""
PARENT = f"""
import threading
from donna.jobs import lifeline
lifeline.spawn(["-c", {CHILD!r}])
threading.Event().wait()
"""


def test_a_killed_parent_takes_its_child_along() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    eventually(lambda: gone(child) or _is_zombie(child))
    parent.stdout.close()


def _is_zombie(pid: int) -> bool:
    """Nobody may be there to bury an orphan in a container."""
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def test_stop_ends_a_child_that_does_not_listen() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    child = lifeline.spawn(["-c", code], output=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    lifeline.stop(child, grace_s=0.1)
    assert child.returncode == -signal.SIGKILL
    child.stdout.close()


def test_hold_does_nothing_in_a_process_of_its_own() -> None:
    assert lifeline.VARIABLE not in os.environ
    lifeline.hold()
