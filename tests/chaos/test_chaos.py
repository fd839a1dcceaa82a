"""The whole pipeline under SIGKILLs: nothing is lost, nothing counts twice, and every run ends.

    make test-chaos KILLS=100 SEED=1

Kills are spread over services, workers, the measuring process and the command itself, in every phase; victims and
pauses come from the seed. Runs follow each other, each on an empty state, until all kills are done. Every second
run searches with predictions alone: its evaluations must be, bit for bit, those of a run that nobody disturbed.
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
PREDICTED: dict[str, Any] = {
    **TINY,
    "name": "predicted",
    "search": {"objectives": ["accuracy", "macs"], "population": 8, "generations": 30},
}
BLOCKS, SAMPLES = 9, 9


def spec_file(folder: Path, spec: dict[str, Any]) -> Path:
    path = folder / f"{spec['name']}.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


class Killer:
    """Chooses whom to kill and when; `done` counts (phase, victim)."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.done: Counter[tuple[str, str]] = Counter()
        self._wait()

    def _wait(self) -> None:
        self.next_at = time.monotonic() + self._random.uniform(*PAUSE_S)
        self.hasty = self._random.random() < HASTE

    def strike(self, phase: str, victims: dict[str, list[psutil.Process]]) -> None:
        """Kills one process of the kind that was killed least in this phase."""
        kinds = sorted(victims)
        self._random.shuffle(kinds)
        in_all: Counter[str] = Counter()
        for (_, struck), count in self.done.items():
            in_all[struck] += count
        kind = min(kinds, key=lambda kind: (self.done[phase, kind], in_all[kind]))
        try:
            self._random.choice(victims[kind]).send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return  # it ended by itself just now, and that is no kill
        self.done[phase, kind] += 1
        self._wait()


def disturbed(folder: Path, spec: dict[str, Any], killer: Killer | None, kills: int) -> dict[str, Any]:
    """One run to its end; what it says of itself, with the number of starts of each part."""
    folder.mkdir()
    deadline = time.monotonic() + RUN_DEADLINE_S
    with supervised(folder / "state") as services:
        command = Command(spec_file(folder, spec), folder / "out", services.endpoints)
        while not command.ended():
            assert time.monotonic() < deadline, f"stuck in {command.phase}:\n" + "\n".join(command.said[-20:])
            due = killer is not None and killer.done.total() < kills and time.monotonic() > killer.next_at
            if killer is not None and due and (killer.hasty or services.serving()):
                victims = services.victims()
                victims["command"] = [psutil.Process(command.process.pid)]
                killer.strike(command.phase, victims)
            time.sleep(0.05)
        return {
            "starts_of_the_command": command.starts,
            "gave_up_waiting": command.gave_up,
            "restarts": dict(services.restarts),
        }


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def check_ledger(state: Path) -> None:
    """Every task is done, each piece of work once, and the costs say so."""
    for service in SERVICES:
        database = state / f"{service}.db"
        # A measurement whose process was killed fails, and its caller orders another.
        if service != "profiler":
            assert set(rows(database, "SELECT DISTINCT state FROM jobs")) == {("SUCCEEDED",)}, service
            assert set(rows(database, "SELECT DISTINCT state FROM tasks")) == {("DONE",)}, service
        done = "SELECT key FROM tasks WHERE key <> '' AND state = 'DONE' AND NOT reused"
        assert rows(database, f"{done} GROUP BY key HAVING count(*) > 1") == [], service
    costs = [json.loads(cost) for (cost,) in rows(state / "distiller.db", "SELECT cost FROM jobs")]
    assert sum(cost.get("blocks_trained", 0) for cost in costs) == BLOCKS
    samples = "SELECT cost FROM jobs WHERE request_id LIKE '%-samples-%'"
    costs = [json.loads(cost) for (cost,) in rows(state / "finetuner.db", samples)]
    assert sum(cost.get("networks_trained", 0) for cost in costs) == SAMPLES


def check_result(output: Path) -> dict[str, Any]:
    result = json.loads((output / "result.json").read_text())
    assert result["predictor"]["num_samples"] + result["predictor"]["num_holdout"] == SAMPLES
    assert result["front"]
    for model in (result["reference"], *result["models"]):
        assert model["onnx_top1_agreement"] == 1.0 and model["latency_ms"]["local"] > 0
    return result


@pytest.mark.chaos
def test_nothing_is_lost_and_nothing_counts_twice(tmp_path: Path) -> None:
    undisturbed(tmp_path)
    expected = (tmp_path / "calm" / "out" / "evaluations.csv").read_bytes()
    samples = check_result(tmp_path / "calm" / "out")["predictor"]["samples"]
    killer, runs = Killer(SEED), []
    while killer.done.total() < KILLS:
        spec = PREDICTED if len(runs) % 2 == 0 else TINY
        folder, before = tmp_path / f"run{len(runs)}", killer.done.total()
        started = time.monotonic()
        told = disturbed(folder, spec, killer, KILLS)
        runs.append(
            {
                "spec": spec["name"],
                "kills": killer.done.total() - before,
                "seconds": round(time.monotonic() - started, 1),
                **told,
            }
        )
        result = check_result(folder / "out")
        check_ledger(folder / "state")
        # Training knows nothing of the kills, whichever search follows.
        assert result["predictor"]["samples"] == samples
        if spec is PREDICTED:
            assert (folder / "out" / "evaluations.csv").read_bytes() == expected
    report(killer, runs)


def undisturbed(tmp_path: Path) -> None:
    disturbed(tmp_path / "calm", PREDICTED, None, 0)
    check_ledger(tmp_path / "calm" / "state")


def report(killer: Killer, runs: list[dict[str, Any]]) -> None:
    """The figures, as JSON, on standard output."""
    by_victim: Counter[str] = Counter()
    by_phase: Counter[str] = Counter()
    for (phase, victim), count in killer.done.items():
        by_victim[victim] += count
        by_phase[phase] += count
    figures = {
        "seed": SEED,
        "kills": killer.done.total(),
        "runs": runs,
        "kills_by_victim": dict(by_victim.most_common()),
        "kills_by_phase": dict(by_phase.most_common()),
        "results_lost": 0,
        "results_counted_twice": 0,
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
