"""Several processes on one database."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from donna.jobs import JobState, JobStore, TaskSpec, TaskState

ROOT = Path(__file__).parents[3]


def start(database: str, owner: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.jobs.claimer", database, owner],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_each_task_goes_to_one_of_many_processes(database: str, live: JobStore) -> None:
    keys = [f"k{n % 30}" for n in range(40)] + [""] * 20
    names = [
        live.create("squares", {"n": n}, [TaskSpec(key=key, spec={}) for key in keys]).name for n in range(2)
    ]
    claimers = [start(database, f"w{n}") for n in range(4)]
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write("\n")
        claimer.stdin.flush()
    said = [claimer.communicate(timeout=60) for claimer in claimers]
    assert [claimer.returncode for claimer in claimers] == [0] * 4, said

    claimed = [tuple(line.split()) for out, _ in said for line in out.splitlines()]
    assert {fence for _, _, fence in claimed} == {"1"}
    assert max(Counter((job, index) for job, index, _ in claimed).values()) == 1
    # Each of 30 keys once, whichever job it was for, and each task without a key.
    computed = Counter(keys[int(index)] for _, index, _ in claimed)
    assert computed == {**{f"k{n}": 1 for n in range(30)}, "": 40}
    for name in names:
        assert live.task_states(name) == {TaskState.DONE: 60}
        assert live.get(name).state is JobState.RUNNING
    assert sum(live.get(name).cost["measurements"] for name in names) == 70


def test_many_processes_open_a_fresh_database_at_once(tmp_path: Path) -> None:
    claimers = [start(f"sqlite:///{tmp_path / 'fresh.db'}", f"w{n}") for n in range(5)]
    said = [claimer.communicate("\n", timeout=60) for claimer in claimers]
    assert [claimer.returncode for claimer in claimers] == [0] * 5, said
