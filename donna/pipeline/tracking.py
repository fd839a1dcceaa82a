"""A finished run in MLflow: its figures, its files, and a nested run for each network; needs donna[mlflow]."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from donna.errors import FailedPrecondition, InvalidArgument, Unavailable
from donna.pipeline.folder import read_result
from donna.pipeline.result import int8_name

FILES = ("report.html", "result.json", "spec.yaml", "front.csv", "front.png", "evaluations.csv")
TAG = "donna.result_sha256"
"""Tells which result an MLflow run has."""
MAX_PARAMETER = 500  # MLflow takes no longer values


def log_to_mlflow(folder: Path, *, tracking_uri: str = "", experiment: str = "donna") -> str:
    """Logs a run; returns the id of its MLflow run. An empty `tracking_uri` is what MLflow is configured with.

    The same result is logged once: a second time finds it, and replaces what an interrupted first time left behind.
    Raises NotFound for a run that is not complete, FailedPrecondition without the extra, Unavailable when the
    tracking server does not take it.
    """
    result = read_result(folder)
    identity = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise FailedPrecondition(
            f"this needs {error.name}, which comes with the extra donna[mlflow]"
        ) from error
    try:
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        place = mlflow.set_experiment(experiment).experiment_id
        known = mlflow.search_runs([place], f"tags.`{TAG}` = '{identity}'", output_format="list")
        logged = [run.info.run_id for run in known if run.info.status == "FINISHED" and not _is_nested(run)]
        if logged:
            return str(logged[0])
        for run in known:
            mlflow.delete_run(run.info.run_id)
        tags = {TAG: identity}
        with mlflow.start_run(run_name=result["name"], tags=tags) as parent:
            mlflow.log_params(dict(parameters(folder)))
            mlflow.log_metrics(figures(result))
            for name in FILES:
                if (folder / name).exists():
                    mlflow.log_artifact(str(folder / name))
            for model in models(result):
                with mlflow.start_run(run_name=model["name"], nested=True, tags=tags):
                    mlflow.log_params({"architecture": model.get("architecture", "reference")})
                    mlflow.log_metrics(model_figures(model))
                    mlflow.log_artifact(str(folder / model["onnx"]))
    except (MlflowException, OSError) as error:
        raise Unavailable(f"MLflow did not take the run: {str(error).splitlines()[0][:300]}") from error
    return str(parent.info.run_id)


def _is_nested(run: Any) -> bool:
    return "mlflow.parentRunId" in run.data.tags


def models(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The reference, the winners, and the quantised model of each that has one."""
    for model in (result["reference"], *result["models"]):
        yield model
        if "int8" in model:
            origin = model.get("architecture", "reference")
            yield {**model["int8"], "name": int8_name(model["name"]), "architecture": origin}


def parameters(folder: Path) -> Iterator[tuple[str, str]]:
    """The resolved spec as flat parameters: `search.population`, "16"."""
    try:
        spec = yaml.safe_load((folder / "spec.yaml").read_text())
    except (OSError, yaml.YAMLError):
        raise InvalidArgument.of(str(folder), "has no spec.yaml of a run") from None
    yield from _flat("", spec)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), inner)
    elif value not in (None, {}, []):
        yield path, str(value)[:MAX_PARAMETER]


def figures(result: dict[str, Any]) -> dict[str, float]:
    """The figures of a run by MLflow's names: letters, digits and `_-. /`."""
    predictor = result["predictor"]
    found = {
        "reference.accuracy": result["reference"]["accuracy"],
        "front.size": len(result["front"]),
        "search.evaluations": result["search"]["evaluations"],
        "search.measured": result["search"]["measured"],
        "predictor.kendall_tau_loo": predictor["kendall_tau_loo"],
        "predictor.kendall_tau_holdout": predictor["kendall_tau_holdout"],
        **{f"cost.{name}": amount for name, amount in result["cost"].items()},
        **{f"time_s.{phase}": seconds for phase, seconds in result["timings_s"].items()},
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def model_figures(model: dict[str, Any]) -> dict[str, float]:
    """The figures of one network."""
    plain = ("accuracy", "predicted_accuracy", "parameters", "macs", "size_bytes", "onnx_top1_agreement")
    found = {name: float(model[name]) for name in plain if name in model}
    return found | {f"latency_ms.{device}": ms for device, ms in model["latency_ms"].items()}
