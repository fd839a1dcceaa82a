"""The whole pipeline under SIGKILLs: nothing is lost, nothing counts twice, and every run ends.

    make test-chaos KILLS=100 SEED=1

Kills are spread over services, workers, the measuring process and the command itself, in every phase: none takes more
than its share of a run. Victims and pauses come from the seed. Runs follow each other, each on an empty state, until
there were KILLS or more. Every second run searches with predictions alone: its evaluations must be, bit for bit, those
of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.chaos.supervised import SERVICES, Command, supervised
from tests.integration.conftest import TINY

KILLS = int(os.environ.get("DONNA_CHAOS_KILLS", "100"))
SEED = int(os.environ.get("DONNA_CHAOS_SEED", "1"))
PAUSE_S = (0.2, 2.0)
HASTE = 0.2
"""The share of kills that do not wait until everything serves again: some hit a service while it starts."""
RUN_DEADLINE_S = 1200.0
LONG_S = 4.0
"""A phase that takes as long when nobody disturbs it is long enough to be hit."""
PHASES = 10
SHARE = max(1, round(KILLS / PHASES / 4))
"""Kills in each phase of one run: in about four runs all are done."""
PREDICTED: dict[str, Any] = {
    **TINY,
    "name": "predicted",
    "search": {"objectives": ["accuracy", "macs"], "population": 8, "generations": 30},
}
SAMPLES = 9
TOLD = {
    "jobs_not_succeeded": 0,
    "tasks_not_done": 0,
    "work_done_twice": 0,
    "blocks_trained": 9,
    "networks_trained": SAMPLES,
}
"""Of every run, however often it was killed: fewer are lost, more are counted twice."""


def spec_file(folder: Path, spec: dict[str, Any]) -> Path:
    path = folder / f"{spec['name']}.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


class Killer:
    """Chooses whom to kill and when; `done` counts (phase, victim), `in_run` the phases of the run that goes on."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.done: Counter[tuple[str, str]] = Counter()
        self.in_run: Counter[str] = Counter()
        self._wait()

    def by_phase(self) -> Counter[str]:
        """Kills so far."""
        return _sums((phase, count) for (phase, _), count in self.done.items())

    def by_victim(self) -> Counter[str]:
        """Kills so far."""
        return _sums((victim, count) for (_, victim), count in self.done.items())

    def due(self, phase: str) -> bool:
        """Whether it is time for another in this phase."""
        return self.in_run[phase] < SHARE and time.monotonic() > self.next_at

    def _wait(self) -> None:
        self.next_at = time.monotonic() + self._random.uniform(*PAUSE_S)
        self.hasty = self._random.random() < HASTE

    def strike(self, phase: str, victims: dict[str, list[psutil.Process]]) -> None:
        """Kills one process of the kind that was killed least in this phase."""
        kinds = sorted(victims)
        self._random.shuffle(kinds)
        in_all = self.by_victim()
        kind = min(kinds, key=lambda kind: (self.done[phase, kind], in_all[kind]))
        try:
            self._random.choice(victims[kind]).send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return  # it ended by itself just now, and that is no kill
        self.done[phase, kind] += 1
        self.in_run[phase] += 1
        self._wait()


def _sums(counts: Iterable[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in counts:
        found[name] += count
    return found


def disturbed(folder: Path, spec: dict[str, Any], killer: Killer | None) -> dict[str, Any]:
    """One run to its end; what it says of itself, with the number of starts of each part."""
    folder.mkdir()
    started = time.monotonic()
    if killer is not None:
        killer.in_run.clear()
    deadline = time.monotonic() + RUN_DEADLINE_S
    with supervised(folder / "state") as services:
        while not services.serving():
            time.sleep(0.05)
        command = Command(spec_file(folder, spec), folder / "out", services.endpoints)
        while not command.ended():
            assert time.monotonic() < deadline, f"stuck in {command.phase}:\n" + "\n".join(command.said[-20:])
            phase = command.phase
            if killer is not None and killer.due(phase) and (killer.hasty or services.serving()):
                victims = services.victims()
                victims["command"] = [psutil.Process(command.process.pid)]
                killer.strike(phase, victims)
            time.sleep(0.05)
        return {
            "spec": spec["name"],
            "seconds": round(time.monotonic() - started, 1),
            "seconds_in_phases": {phase: round(s, 1) for phase, s in command.seconds_in.items() if phase},
            "kills": killer.in_run.total() if killer is not None else 0,
            "starts_of_the_command": command.starts,
            "gave_up_waiting": command.gave_up,
            "restarts": dict(services.restarts),
        }


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def ledger(state: Path) -> dict[str, int]:
    """What the stores of a run say of it: each must be what TOLD says.

    A measurement whose process was killed fails, and its caller orders another: the profiler's jobs are left out.
    """
    found: Counter[str] = Counter()
    for service in SERVICES:
        database = state / f"{service}.db"
        if service != "profiler":
            jobs = "SELECT count(*) FROM jobs WHERE state <> 'SUCCEEDED'"
            tasks = "SELECT count(*) FROM tasks WHERE state <> 'DONE'"
            found["jobs_not_succeeded"] += rows(database, jobs)[0][0]
            found["tasks_not_done"] += rows(database, tasks)[0][0]
        done = "SELECT key FROM tasks WHERE key <> '' AND state = 'DONE' AND NOT reused"
        found["work_done_twice"] += len(rows(database, f"{done} GROUP BY key HAVING count(*) > 1"))
    blocks = "SELECT cost FROM jobs"
    samples = "SELECT cost FROM jobs WHERE request_id LIKE '%-samples-%'"
    for service, query, counter in (
        ("distiller", blocks, "blocks_trained"),
        ("finetuner", samples, "networks_trained"),
    ):
        costs = [json.loads(cost) for (cost,) in rows(state / f"{service}.db", query)]
        found[counter] = sum(cost.get(counter, 0) for cost in costs)
    return dict(found)


def check_result(output: Path) -> dict[str, Any]:
    result = json.loads((output / "result.json").read_text())
    assert result["predictor"]["num_samples"] + result["predictor"]["num_holdout"] == SAMPLES
    assert result["front"]
    for model in (result["reference"], *result["models"]):
        assert model["onnx_top1_agreement"] == 1.0 and model["latency_ms"]["local"] > 0
    return result


@pytest.mark.chaos
def test_nothing_is_lost_and_nothing_counts_twice(tmp_path: Path) -> None:
    calm = disturbed(tmp_path / "calm", PREDICTED, None)
    assert ledger(tmp_path / "calm" / "state") == TOLD
    expected = (tmp_path / "calm" / "out" / "evaluations.csv").read_bytes()
    samples = check_result(tmp_path / "calm" / "out")["predictor"]["samples"]
    killer, runs = Killer(SEED), []
    while killer.done.total() < KILLS:
        spec = PREDICTED if len(runs) % 2 == 0 else TINY
        folder = tmp_path / f"run{len(runs)}"
        runs.append(disturbed(folder, spec, killer))
        result = check_result(folder / "out")
        runs[-1]["ledger"] = ledger(folder / "state")
        assert runs[-1]["ledger"] == TOLD
        # Training knows nothing of the kills, whichever search follows.
        assert result["predictor"]["samples"] == samples
        if spec is PREDICTED:
            assert (folder / "out" / "evaluations.csv").read_bytes() == expected
    long = {phase for phase, seconds in calm["seconds_in_phases"].items() if seconds >= LONG_S}
    figures = {
        "seed": SEED,
        "kills": killer.done.total(),
        "kills_by_victim": dict(killer.by_victim().most_common()),
        "kills_by_phase": dict(killer.by_phase().most_common()),
        "calm": calm,
        "runs": runs,
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    missed = {phase for phase in long if killer.by_phase()[phase] < SHARE}
    assert not missed, f"kills did not reach {', '.join(sorted(missed))}"
