"""The main job over the five real processes: complete, resumed after SIGKILL, and cheap the second time."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import psutil
import pytest
from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import DonnaError, FailedPrecondition
from donna.local import services
from donna.v1 import distiller_pb2

REPOSITORY = Path(__file__).parents[2]


def start(spec: Path, state: Path, output: Path, *extra: str) -> subprocess.Popen[str]:
    return popen("run", str(spec), "--state", str(state), "--output", str(output), *extra)


def popen(*words: str) -> subprocess.Popen[str]:
    # Shells start what runs in the background deaf to Ctrl-C, and that is inherited. Told here and not between fork and
    # exec, since forking is not safe once gRPC has threads.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "donna.cli", *words],
        cwd=REPOSITORY,
        env={**os.environ, "DONNA_FINETUNER_WORKER_IDLE_S": "60"},  # a new worker costs seconds
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=280)
    assert process.returncode == 0, text
    return text


def family(state: Path) -> list[psutil.Process]:
    """Every process that works on this state."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(
                name.startswith("DONNA_") and value == str(state) for name, value in process.environ().items()
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def gone(state: Path, within_s: float = 15.0) -> bool:
    deadline = time.monotonic() + within_s
    while family(state):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def interrupted(
    tiny_spec: Path, state: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], str, Path]:
    """A run that was killed once in each of two phases, and then finished."""
    output = tmp_path_factory.mktemp("runs") / "first"
    for service, sign in (("distiller", "blockLibraries/"), ("finetuner", "-samples-")):
        process = start(tiny_spec, state, output)
        wait_for_job(state / f"{service}.db", sign)
        for member in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            try:
                member.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        process.wait()
        assert gone(state)
    text = finish(start(tiny_spec, state, output))
    return json.loads((output / "result.json").read_text()), text, output


def wait_for_job(database: Path, sign: str) -> None:
    """Until a job whose name or request has this sign is at work."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                query = (
                    "select count(*) from jobs where state='RUNNING' and (name like ? or request_id like ?)"
                )
                if connection.execute(query, (f"%{sign}%", f"%{sign}%")).fetchone()[0]:
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"no job like {sign} began")


def test_the_result_is_complete(interrupted: tuple[dict[str, Any], str, Path]) -> None:
    result, text, output = interrupted
    assert result["space"] == {"num_blocks": 2, "num_options": [5, 5], "num_architectures": 25}
    # Ten options, of which the identity of stage2 has nothing to learn.
    assert result["library"]["num_blocks_trained"] + result["library"]["num_blocks_reused"] == 9
    assert result["predictor"]["num_samples"] == 6
    assert result["predictor"]["num_holdout"] == 3
    assert -1 <= result["predictor"]["kendall_tau_loo"] <= 1
    assert result["search"]["measured"] >= len(result["front"]) >= 1
    assert len(result["models"]) >= 1
    for model in (result["reference"], *result["models"]):
        assert 0 <= model["accuracy"] <= 1
        assert model["latency_ms"]["local"] > 0
        assert model["onnx_top1_agreement"] == 1.0
        assert model["onnx_max_abs_diff"] < 1e-3
        assert (output / model["onnx"]).stat().st_size == model["size_bytes"]
    for model in result["models"]:
        searched_ms = model["searched_latency_ms"]["local"]
        assert model["latency_difference"]["local"] == pytest.approx(
            model["latency_ms"]["local"] / searched_ms - 1
        )
    for name in ("result.json", "front.csv", "front.png", "spec.yaml"):
        assert (output / name).stat().st_size > 0
    assert "tiny" in text
    # One network for each option that both blocks have, measured like the others.
    assert [b["name"] for b in result["baselines"]] == ["0-0", "1-1", "2-2", "3-3", "4-4"]
    assert all(b["latency_ms"]["local"] > 0 and b["macs"] > 0 for b in result["baselines"])
    phases = {"reference", "library", "samples", "search", "baselines", "finetune", "measure"}
    assert set(result["planned_s"]) == phases <= set(result["timings_s"])


def test_the_front_is_a_front(interrupted: tuple[dict[str, Any], str, Path]) -> None:
    front = interrupted[0]["front"]
    for a in front:
        for b in front:
            better = (
                b["predicted_accuracy"] >= a["predicted_accuracy"]
                and b["latency_ms"]["local"] <= a["latency_ms"]["local"]
            )
            same = b["predicted_accuracy"] == a["predicted_accuracy"] and b["latency_ms"] == a["latency_ms"]
            assert not better or same


def test_the_models_run_in_a_runtime_of_their_own(interrupted: tuple[dict[str, Any], str, Path]) -> None:
    result, _, output = interrupted
    for model in result["models"]:
        session = onnxruntime.InferenceSession(
            str(output / model["onnx"]), providers=["CPUExecutionProvider"]
        )
        images = np.zeros((3, 1, 8, 8), np.float32)
        logits = session.run(None, {session.get_inputs()[0].name: images})[0]
        assert logits.shape == (3, 10)


def test_nothing_was_done_twice(interrupted: tuple[dict[str, Any], str, Path], state: Path) -> None:
    """Each block and each sample has one remembered result, and the ledger counts it once."""
    with sqlite3.connect(state / "distiller.db") as connection:
        costs = [json.loads(cost) for (cost,) in connection.execute("select cost from jobs")]
    assert sum(cost.get("blocks_trained", 0) for cost in costs) == 9
    with sqlite3.connect(state / "finetuner.db") as connection:
        costs = [
            json.loads(cost)
            for (cost,) in connection.execute("select cost from jobs where request_id like '%samples%'")
        ]
    assert sum(cost.get("networks_trained", 0) for cost in costs) == 9


def test_a_second_run_trains_no_block(
    interrupted: tuple[dict[str, Any], str, Path], tiny_spec: Path, state: Path, tmp_path: Path
) -> None:
    first = interrupted[0]
    bound = first["front"][-1]["latency_ms"]["local"] * 100
    override = f"search.bounds=[{{metric: latency_ms, max: {bound}}}]"
    text = finish(start(tiny_spec, state, tmp_path / "second", "--set", "search.seed=5", "--set", override))
    second = json.loads((tmp_path / "second" / "result.json").read_text())
    assert second["library"]["num_blocks_trained"] == 0
    assert "no block trained again" in text
    assert second["search"]["seed"] == 5
    known = {s["architecture"]: s["accuracy"] for s in first["predictor"]["samples"]}
    assert {s["architecture"]: s["accuracy"] for s in second["predictor"]["samples"]} == known
    again = finish(start(tiny_spec, state, tmp_path / "second", "--set", "search.seed=5", "--set", override))
    assert "nothing is done again" in again
    assert gone(state)


@pytest.fixture(scope="module")
def held(interrupted: object, state: Path) -> Iterator[None]:
    """Services that the commands of several tests find, as after `donna up`."""
    with services(state, lasting=True):
        yield


def command(state: Path, *words: str) -> Any:
    """What a command says as JSON, from the services that run on this state."""
    done = CliRunner().invoke(build(), [*words, "--state", str(state), "--json"])
    if isinstance(done.exception, DonnaError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_phase_has_a_command_of_its_own(
    interrupted: tuple[dict[str, Any], str, Path], tiny_spec: Path, state: Path, tmp_path: Path, held: None
) -> None:
    result = interrupted[0]
    spec, manifest = str(tiny_spec), tmp_path / "library.json"
    library = command(state, "distill", spec, "--output", str(manifest))
    assert library["job"]["cost"].get("blocks_trained", "0") == "0"
    shown = command(state, "inspect", "library", library["name"])
    assert shown == command(state, "inspect", "library", str(manifest))
    words = ("--predictor", result["predictor"]["name"], "--set", "search.objectives=[accuracy, macs]")
    found = command(state, "search", spec, "--library", library["name"], *words)
    best = "-".join(map(str, found["front"][0]["architecture"].get("choices", [])))
    first, second = tmp_path / "first", tmp_path / "second"
    words = (spec, best, "--library", str(manifest), "--output", str(first), "--set", "finetune.int8=true")
    finetuned = command(state, "finetune", *words)
    exported = command(state, "export", finetuned["name"], "--output", str(second))
    names = [best, f"{best}.int8"]
    assert [m["network"] for m in exported["models"]] == names
    for name in names:
        assert (first / f"{name}.onnx").read_bytes() == (second / f"{name}.onnx").read_bytes()
    assert exported["models"][0]["onnx_top1_agreement"] == 1.0
    onnxruntime.InferenceSession(str(second / f"{best}.onnx"), providers=["CPUExecutionProvider"])
    jobs = command(state, "jobs", "list", "--all", "--kind", "finetuneJobs")
    assert finetuned["name"] in [job["name"] for job in jobs]
    samples = jobs[-2]["name"]  # the oldest after the reference's: it exported nothing
    with pytest.raises(FailedPrecondition, match="has exported no network"):
        command(state, "export", samples, "--output", str(second))


def test_a_job_that_is_cancelled_ends_its_commands_with_code_3(
    tiny_spec: Path, state: Path, tmp_path: Path, held: None
) -> None:
    words = ["distill", str(tiny_spec), "--set", "distillation.epochs=5000", "--state", str(state)]
    first = popen(*words)
    while not (running := command(state, "jobs", "list", "--kind", "blockLibraries")):
        assert first.poll() is None, first.communicate()
        time.sleep(0.2)
    name = running[0]["name"]
    second = popen("jobs", "watch", name, "--state", str(state))
    time.sleep(2.0)
    assert command(state, "jobs", "cancel", name)["state"] == "cancelled"
    for process in (first, second):
        text, _ = process.communicate(timeout=60)
        assert process.returncode == 3, text
        assert text.splitlines()[-1] == f"donna: {name} was cancelled"
        assert "\x1b" not in text  # no terminal, no colours and no bars


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("space.blocks=[stage9]", "stage9"),
        ("dataset.provider=digitz", "digitz"),
        ("reference.provider=smal_cnn", "smal_cnn"),
        ("space.options=[{family: inverted_residual, kernel: 4}]", "kernel"),
        ("search.bounds=[{metric: parameters, max: 10}]", "the smallest has"),
        ("search.bounds=[{metric: latency_ms, max: 0.000001}]", "local"),
    ],
)
def test_wrong_input_is_refused_with_code_2(
    tiny_spec: Path, state: Path, tmp_path: Path, override: str, sentence: str, held: None
) -> None:
    process = start(tiny_spec, state, tmp_path / "out", "--set", override)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 2, text
    assert sentence in text.splitlines()[-1]
    assert "Traceback" not in text


def test_ctrl_c_leaves_nothing_behind(tiny_spec: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    process = start(tiny_spec, state, tmp_path / "out")
    wait_for_job(state / "finetuner.db", "finetuneJobs/")
    os.kill(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "goes on from here" in text
    assert gone(state)


def test_two_fresh_states_agree(
    interrupted: tuple[dict[str, Any], str, Path], tiny_spec: Path, state: Path, tmp_path: Path
) -> None:
    """The same seed gives the same qualities and the same predictions, from scratch."""
    other = tmp_path / "state"
    finish(start(tiny_spec, other, tmp_path / "out"))
    assert qualities(other) == qualities(state)
    again = json.loads((tmp_path / "out" / "result.json").read_text())
    assert predictions(again) == predictions(interrupted[0])


def predictions(result: dict[str, Any]) -> dict[str, float]:
    """The predicted accuracy of every network that was finetuned to fit or to judge the predictor."""
    judged = (*result["predictor"]["samples"], *result["predictor"]["holdout"])
    return {sample["architecture"]: sample["predicted_accuracy"] for sample in judged}


def qualities(state: Path) -> dict[str, float]:
    with services(state, only=["distiller"]) as client:
        library = next(iter(client.list("blockLibraries")))
        request = distiller_pb2.ListBlockEntriesRequest(parent=library.name, page_size=1000)
        entries = client.distiller.ListBlockEntries(request).block_entries
        return {f"{entry.block}/{entry.option}": entry.nsr for entry in entries}
