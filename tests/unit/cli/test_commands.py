"""Commands against services that really run: predictor, searcher and profiler, spoken to over gRPC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import DonnaError, FailedPrecondition
from tests.unit.cli.conftest import Donna
from tests.unit.graphs.fragments import conv
from tests.unit.predictor.spaces import library, random_tables


def test_a_predictor_is_fitted_to_accuracies_from_a_file(
    donna: Donna, manifest: Path, predictor: dict[str, Any]
) -> None:
    assert predictor["leave_one_out"]["kendall_tau"]["value"] > 0.95
    assert "Kendall tau" in donna("inspect", "predictor", predictor["name"]).stdout
    space = library(random_tables(4, 6, seed=3))
    (found,) = donna.json("predictor", "predict", predictor["name"], "0-1-2-3")
    true = 0.95 - 0.1 * space.qualities(np.array([[0, 1, 2, 3]])).sum()
    assert found["accuracy"] == pytest.approx(true, abs=0.01)
    assert found["low"] <= found["accuracy"] <= found["high"]


def test_the_same_fit_is_the_same_resource(donna: Donna, manifest: Path, predictor: dict[str, Any]) -> None:
    samples = manifest.with_name("samples.csv")
    again = donna.json("predictor", "fit", "--library", str(manifest), "--samples", str(samples))
    assert again["name"] == predictor["name"]


def test_samples_to_finetune_are_distinct_and_of_the_library(donna: Donna, manifest: Path) -> None:
    found = donna.json("predictor", "sample", "--library", str(manifest), "--count", "12")
    assert len(set(found)) == 12
    assert all(0 <= int(choice) < 6 for text in found for choice in text.split("-"))


def test_a_library_is_shown_without_any_service(manifest: Path) -> None:
    shown = CliRunner().invoke(build(), ["inspect", "library", str(manifest), "--block", "block1", "--json"])
    assert len(json.loads(shown.stdout)["blocks"]) == 4
    shown = CliRunner().invoke(build(), ["inspect", "library", str(manifest)], env={"COLUMNS": "200"})
    assert "1,296 networks" in shown.stdout


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    text = (Path(__file__).parents[3] / "examples" / "digits.yaml").read_text()
    path = tmp_path / "spec.yaml"
    path.write_text(text.replace("objectives: [accuracy, latency_ms]", "objectives: [accuracy, macs]"))
    return path


def test_what_can_be_reached_is_told_before_a_search(donna: Donna, spec: Path, manifest: Path) -> None:
    bounds = "search.bounds=[{metric: macs, max: 10}]"
    table = donna.json("search", str(spec), "--library", str(manifest), "--check", "--set", bounds)
    row = next(r for r in table["rows"] if r["metric"] == "METRIC_MACS" and "bound" in r)
    assert not row.get("feasible", False)
    assert row["smallest"] > 10
    shown = donna("search", str(spec), "--library", str(manifest), "--check", "--set", bounds).stdout
    assert "≤ 10" in shown and "no" in shown


def test_a_search_gives_a_front(donna: Donna, spec: Path, manifest: Path, predictor: dict[str, Any]) -> None:
    words = ("search", str(spec), "--library", str(manifest), "--predictor", predictor["name"])
    found = donna.json(*words)
    points = [(p["predicted_accuracy"], int(p["macs"])) for p in found["front"]]
    assert points
    assert not any(a2 >= a and m2 < m for a, m in points for a2, m2 in points)
    (row,) = donna.json("jobs", "list", "--all", "--kind", "searches")
    assert row["name"] == found["name"] and row["state"] == "succeeded"
    assert donna.json("jobs", "watch", found["name"])["name"] == found["name"]
    with pytest.raises(FailedPrecondition, match="cannot become CANCELLED"):
        donna("jobs", "cancel", found["name"])


def test_any_onnx_model_is_profiled(donna: Donna, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(conv(3, 4, 8).SerializeToString())
    result = donna.json("profile", str(model), "--layers")
    assert 0 < result["min_ms"] <= result["median_ms"] <= result["p99_ms"]
    assert result["layers"]
    assert "p95" in donna("profile", str(model), "--layers").stdout  # known by now


def test_devices_say_what_they_are(donna: Donna) -> None:
    (device,) = donna.json("devices")
    assert device["name"] == device["profiler"] == "local" and device["reachable"]
    assert device["backend"] == "onnxruntime"


def test_status_asks_every_address(donna: Donna) -> None:
    rows = donna.json("status")
    assert {row["service"]: row["health"] for row in rows} == {
        "predictor": "SERVING",
        "searcher": "SERVING",
        "profiler": "SERVING",
    }


def test_status_ends_with_3_when_something_does_not_answer(tmp_path: Path) -> None:
    nobody = ["status", "--endpoint", "predictor=127.0.0.1:1", "--state", str(tmp_path), "--json"]
    done = CliRunner().invoke(build(), nobody)
    assert done.exit_code == 3 and "does not answer" in done.stdout
    assert CliRunner().invoke(build(), ["status", "--state", str(tmp_path)]).exit_code == 3


def test_a_fit_takes_what_the_contract_knows(donna: Donna, manifest: Path, predictor: dict[str, Any]) -> None:
    samples = ("--library", str(manifest), "--samples", str(manifest.with_name("samples.csv")))
    found = donna.json(
        *("predictor", "fit", *samples, "--target", "accuracy", "--strength", "0.5", "--coverage", "0.8")
    )
    assert (found["target"], found["ridge_strength"]) == ("TARGET_ACCURACY", 0.5)
    assert found["spec"]["interval_coverage"] == 0.8
    with pytest.raises(DonnaError, match="target: must be one of auto, accuracy"):
        donna("predictor", "fit", *samples, "--target", "speed")


def test_quiet_says_nothing_but_the_result(donna: Donna, tmp_path: Path) -> None:
    model = tmp_path / "model[" / "x].onnx"  # brackets are no markup
    model.parent.mkdir()
    model.write_bytes(conv(3, 4, 8).SerializeToString())
    assert "Measuring" in donna("profile", str(model), "--again").stderr
    quiet = donna("profile", str(model), "--quiet")
    assert not quiet.stderr and "model[/x].onnxonlocal" in "".join(quiet.stdout.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["jobs", "watch", "dreams/1"], "in none of the collections"),
        (["inspect", "library", "none.json"], "neither blockLibraries/… nor a file"),
        (["inspect", "predictor", "predictors/none"], "predictors/none"),
        (["profile", "none.onnx"], "none.onnx cannot be read"),
        (["predictor", "predict", "predictors/1", "0-1", "0-1-2"], "same number of blocks"),
        (["inspect", "reference", "small_cnn", "--argument", "nothing"], "must read like name=value"),
        (["inspect", "reference", "small_cnn", "--input-shape", "8x8"], "must read like 3x224x224"),
        (["profile", "{model}", "--device", "phone"], "device 'phone' is not known; known are local"),
        (["report", "nowhere"], "no folder of a complete run"),
    ],
)
def test_what_is_wrong_is_said(donna: Donna, words: list[str], sentence: str, tmp_path: Path) -> None:
    if words[0] == "report":
        done = CliRunner().invoke(build(), words)
        assert isinstance(done.exception, DonnaError)
        assert sentence in done.exception.message
        return
    model = tmp_path / "model.onnx"
    model.write_bytes(conv(3, 4, 8).SerializeToString())
    with pytest.raises(DonnaError, match=sentence):
        donna(*(word.format(model=model) for word in words))
