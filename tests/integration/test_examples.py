"""Examples on bundled data, run small: every phase, with what each of them is about."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from donna.local import services
from donna.pipeline.folder import RunFolder
from donna.pipeline.run import run
from donna.pipeline.spec import read_spec
from tests.unit.profiler.agent import service
from tests.unit.profiler.lab import Lab

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = (
    "reference.train.epochs=2",
    "reference.arguments.widths=[8, 8, 12, 12]",
    "distillation.epochs=1",
    "predictor={samples: 6, holdout: 3, finetune: {epochs: 0.5}}",
    "search.population=8",
    "search.generations=2",
    "search.measurement={min_runs: 10, max_runs: 20, min_time_ms: 1, warmup_runs: 2}",
    "finetune.epochs=1",
    "finetune.winners=2",
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples share reference, data and blocks, and so what is trained."""
    return tmp_path_factory.mktemp("state")


def small(name: str, state: Path, folder: Path, *changed: str, **devices: str) -> dict[str, Any]:
    """The result of an example, with further keys `changed`; `devices` are further ones by address."""
    spec = read_spec(EXAMPLES / f"{name}.yaml", [*SMALL, *changed])
    with services(state, profilers=devices) as client:
        return run(client, spec, RunFolder(folder, spec))


def test_quantised_winners_are_exported_twice_and_both_are_measured(state: Path, tmp_path: Path) -> None:
    result = small("quantised", state, tmp_path)
    for model in result["models"]:
        assert model["int8"]["latency_ms"]["local"] > 0 and 0 < model["int8"]["accuracy"] <= 1
        kinds = {node.op_type for node in onnx.load(tmp_path / model["int8"]["onnx"]).graph.node}
        assert kinds & {"QuantizeLinear", "QLinearConv", "ConvInteger"}


def test_two_devices_are_objectives_at_once(state: Path, tmp_path: Path) -> None:
    with service("profiler", tmp_path / "board") as address:
        result = small("two-devices", state, tmp_path / "run", board=address)
    assert set(result["devices"]) >= {"local", "board"}
    assert all(set(point["latency_ms"]) == {"local", "board"} for point in result["front"])
    for network in (result["reference"], *result["models"]):
        assert set(network["latency_ms"]) == set(network["speedup"]) == {"local", "board"}


@pytest.mark.timeout(900)  # every measurement is two dozen commands to the phone
@pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb (Debian package adb)")
def test_a_phone_is_searched_for_through_its_host(state: Path, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    lab = Lab(tmp_path / "lab")
    try:
        phones = tmp_path / "phones.json"
        told = lab.configured(lab.plug_in()) | {"id": "s20"}
        phones.write_text(json.dumps({"phones": [told], "adb_port": lab.port}))
        with service("profiler", tmp_path / "host", PHONES=str(phones), CANARY_EVERY="0") as address:
            result = small(
                "phone",
                state,
                tmp_path / "run",
                "space.options=[{family: inverted_residual, kernel: 3, expansion: [1, 3], depth: 1}, {family: skip}]",
                "search.max_measurements=40",
                lab=address,
            )
    finally:
        lab.close()
    assert result["devices"]["lab.s20"]["kind"] == "Loopback-Model-One"
    for network in (result["reference"], *result["models"], *result["front"]):
        assert network["latency_ms"]["lab.s20"] > 0
    assert all(model["size_bytes"] <= 1_000_000 for model in result["models"])
