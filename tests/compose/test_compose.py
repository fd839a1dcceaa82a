"""All of DONNA in containers, driven from outside; in every phase a container is lost and comes back."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from donna.client import Client, Endpoints
from donna.errors import DonnaError
from donna.v1 import common_pb2
from tests.compose.stack import ROOT, SERVICES, Stack, why_not

pytestmark = pytest.mark.compose

RUNNING = common_pb2.JOB_STATE_RUNNING
SUCCEEDED = common_pb2.JOB_STATE_SUCCEEDED
NUM_BLOCKS, NUM_OPTIONS, SAMPLES = 3, 9, 12


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    if reason := why_not():
        pytest.skip(f"not run: {reason}")
    found = Stack()
    try:
        found.compose("build")
        found.compose("up", "--detach")
        found.wait_until_healthy()
        yield found
    finally:
        assert found.remove() == [], "the test leaves nothing behind"


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    address = {service: f"127.0.0.1:{port}" for service, port in stack.ports.items()}
    endpoints = Endpoints(
        **{s: address[s] for s in SERVICES if s != "profiler"}, profilers={"local": address["profiler"]}
    )
    with Client(endpoints, token=stack.token()) as found:
        yield found


def start(stack: Stack, output: Path, token: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "donna.cli", "run", "tests/compose/digits.yaml", "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "DONNA_ENDPOINTS": stack.endpoints(), "DONNA_TOKEN_FILE": str(token)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def all_jobs(client: Client, collection: str) -> list[Any]:
    try:
        return [resource.job for resource in client.list(collection)]
    except DonnaError:  # its service is on its way back
        return []


def under_way(client: Client, collection: str, ended: int = 0) -> bool:
    """Whether a job of the collection has got somewhere, after `ended` others."""
    found = all_jobs(client, collection)
    moving = any(job.state == RUNNING and job.progress.done > 0 for job in found)
    return moving and sum(job.state == SUCCEEDED for job in found) >= ended


@pytest.fixture(scope="module")
def run(
    stack: Stack, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[str]]:
    """The result of the pipeline, and the containers that were lost, in order."""
    folder = tmp_path_factory.mktemp("run")
    token = folder / "token"
    token.write_text(stack.token())
    losses: list[tuple[str, Callable[[], bool]]] = [
        ("finetuner", lambda: under_way(client, "finetuneJobs")),  # the reference
        ("distiller", lambda: under_way(client, "blockLibraries")),
        ("finetuner", lambda: under_way(client, "finetuneJobs", ended=1)),  # the samples
        ("searcher", lambda: under_way(client, "searches")),
        ("profiler", lambda: under_way(client, "searches")),
        ("predictor", lambda: under_way(client, "searches")),
        ("finetuner", lambda: under_way(client, "finetuneJobs", ended=3)),  # the winners
    ]
    pipeline = start(stack, folder / "out", token)
    lost = []
    for service, due in losses:
        while pipeline.poll() is None and not due():
            time.sleep(0.05)
        if pipeline.poll() is None:
            stack.lose(service)
            lost.append(service)
    said, _ = pipeline.communicate(timeout=1800)
    assert pipeline.returncode == 0, f"{said}\n{stack.logs()[-8000:]}"
    return json.loads((folder / "out" / "result.json").read_text()), lost


def test_without_the_token_nobody_is_served(stack: Stack) -> None:
    with Client(Endpoints(predictor=f"127.0.0.1:{stack.ports['predictor']}")) as stranger:
        with pytest.raises(DonnaError, match="bearer token"):
            list(stranger.list("predictors"))


def test_the_result_is_complete(run: tuple[dict[str, Any], list[str]]) -> None:
    result, _ = run
    assert result["space"]["num_blocks"] == NUM_BLOCKS
    assert result["space"]["num_architectures"] == NUM_OPTIONS**NUM_BLOCKS
    assert result["predictor"]["num_samples"] + result["predictor"]["num_holdout"] == SAMPLES
    assert len(result["front"]) >= 1 and all(point["latency_ms"]["local"] > 0 for point in result["front"])
    assert len(result["models"]) >= 1 and result["reference"]["accuracy"] > 0.5
    for model in result["models"]:
        assert model["onnx_top1_agreement"] > 0.99 and model["latency_ms"]["local"] > 0


def test_a_container_was_lost_in_every_phase(run: tuple[dict[str, Any], list[str]]) -> None:
    assert run[1] == ["finetuner", "distiller", "finetuner", "searcher", "profiler", "predictor", "finetuner"]


def test_nothing_was_done_twice(stack: Stack, client: Client, run: tuple[dict[str, Any], list[str]]) -> None:
    (library,) = client.list("blockLibraries")
    blocks = client.manifest(library.manifest).blocks
    entries = [entry for block in blocks for entry in block.entries]
    learned = [entry for entry in entries if entry.parameters]
    assert len(entries) == NUM_BLOCKS * NUM_OPTIONS
    assert library.job.cost.blocks_trained == len(learned), (
        "a skip that changes no shape has nothing to learn"
    )
    finetuned = list(client.list("finetuneJobs"))
    networks = sum(len(job.networks) for job in finetuned)
    trained = sum(job.job.cost.networks_trained for job in finetuned)
    reused = sum(job.job.cost.networks_reused for job in finetuned)
    assert trained + reused <= networks
    for schema in ("distiller", "finetuner", "predictor", "searcher"):
        states = dict(stack.query(schema, "SELECT state, count(*) FROM tasks GROUP BY state"))
        assert set(states) == {"DONE"}, (schema, states)
        doubled = "SELECT key FROM tasks WHERE key <> '' AND NOT reused GROUP BY key HAVING count(*) > 1"
        assert stack.query(schema, doubled) == [], schema


def test_the_logs_have_no_tracebacks(stack: Stack, run: tuple[dict[str, Any], list[str]]) -> None:
    logs = stack.logs()
    assert "serves on" in logs
    assert "Traceback" not in logs, logs[logs.index("Traceback") - 500 :][:4000]
