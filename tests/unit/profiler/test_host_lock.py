"""Agents on one machine measure one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from donna.errors import Cancelled
from services.profiler.host_lock import machine
from services.profiler.local_device import LocalDevice


def quietly():
    pass


def test_threads_and_agents_exclude_each_other(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(5):
            with machine(quietly, tmp_path / "lock"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 20
    assert max(most) == 1


def give_up():
    raise Cancelled("enough")


def test_agents_of_one_machine_take_turns(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = (LocalDevice(device_id="local") for _ in range(2))
    with one.turn(quietly), pytest.raises(Cancelled), other.turn(give_up):
        pytest.fail("two agents measured at once")
    with other.turn(give_up):
        pass


def test_the_lock_of_an_agent_that_was_killed_is_free(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from services.profiler.host_lock import machine\n"
        "with machine(lambda: None, Path(sys.argv[1])):\n"
        "    print('holding', flush=True); time.sleep(60)"
    )
    root = str(Path(__file__).parents[3])
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root},
    )
    other.stdout.readline()
    with pytest.raises(Cancelled), machine(give_up, tmp_path / "lock"):
        pytest.fail("two agents measured at once")
    other.kill()
    other.wait()
    other.stdout.close()
    with machine(quietly, tmp_path / "lock"):
        pass
