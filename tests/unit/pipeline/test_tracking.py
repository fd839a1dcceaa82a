"""A run in MLflow, read back with MLflow's own client."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import FailedPrecondition, NotFound, Unavailable
from donna.pipeline.spec import read_spec
from donna.pipeline.tracking import figures, log_to_mlflow, models, parameters
from tests.unit.report import runs

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run."""
    result = runs.run_result()
    result["models"][1]["int8"] = {
        "accuracy": 0.9, "size_bytes": 3, "latency_ms": {"local": 0.1}, "onnx": "models/digits-2.int8.onnx"
    }  # fmt: skip
    path = tmp_path / "run"
    (path / "models").mkdir(parents=True)
    (path / "result.json").write_text(json.dumps(result))
    (path / "spec.yaml").write_text(yaml.safe_dump(read_spec(DIGITS).resolved()))
    for model in models(result):
        (path / model["onnx"]).write_bytes(b"a model")
    return path


def test_mlflow_has_it_all(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking: Any = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    store = (tmp_path / "mlruns").as_uri()
    words = ["mlflow", str(folder), "--tracking-uri", store, "--experiment", "tests", "--json"]
    done = CliRunner().invoke(build(), words)
    assert done.exception is None, done.exception
    run_id = json.loads(done.stdout)["run_id"]
    client = tracking.MlflowClient(store)
    run = client.get_run(run_id)
    assert run.data.params["search.population"] == "16"
    assert run.data.metrics["predictor.kendall_tau_holdout"] == pytest.approx(0.82, abs=0.01)
    assert run.data.metrics["reference.accuracy"] == 0.972
    assert {"result.json", "spec.yaml"} <= {file.path for file in client.list_artifacts(run_id)}
    experiment = client.get_experiment_by_name("tests")
    nested = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    found = {each.info.run_name: each for each in nested}
    assert set(found) == {"reference", "digits-1", "digits-2", "digits-2.int8", "digits-3"}
    assert found["digits-2.int8"].data.metrics["accuracy"] == 0.9
    assert found["digits-1"].data.metrics["latency_ms.local"] > 0
    assert [f.path for f in client.list_artifacts(found["digits-1"].info.run_id)] == ["digits-1.onnx"]


def test_a_result_is_logged_once_and_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking: Any = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    store = (tmp_path / "mlruns").as_uri()
    whole = (folder / "models" / "digits-3.onnx").rename(folder / "away.onnx")
    with pytest.raises(Unavailable):
        log_to_mlflow(folder, tracking_uri=store)  # in the middle, the last model cannot be read
    whole.rename(folder / "models" / "digits-3.onnx")
    run_id = log_to_mlflow(folder, tracking_uri=store)
    assert log_to_mlflow(folder, tracking_uri=store) == run_id
    client = tracking.MlflowClient(store)
    place = client.get_experiment_by_name("donna").experiment_id
    assert len(client.search_runs([place])) == 1 + 5  # nothing is left of the first attempt
    (folder / "result.json").write_text(json.dumps(runs.run_result(seed=1)))
    assert log_to_mlflow(folder, tracking_uri=store) != run_id


def test_parameters_are_the_spec_and_figures_are_numbers(folder: Path) -> None:
    found = dict(parameters(folder))
    assert found["reference.train.epochs"] == "20.0"
    assert all(isinstance(value, float) for value in figures(runs.run_result()).values())


def test_what_is_missing_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="no folder of a complete run"):
        log_to_mlflow(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(FailedPrecondition, match=r"the extra donna\[mlflow\]"):
        log_to_mlflow(folder)
