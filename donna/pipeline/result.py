"""The result of a run: `result.json` and `front.csv`. Accuracies in [0, 1], times in the unit of their name."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from donna.pipeline.csv_text import csv_text
from donna.pipeline.folder import RunFolder
from donna.pipeline.improvement import rounds_of
from donna.pipeline.outcome import Outcome
from donna.pipeline.spec import Spec
from donna.pipeline.turns import speedup
from donna.space import Architecture
from donna.space.library import Block, Library, Part
from donna.space.settling import SETTLED, rank_correlation
from donna.v1 import common_pb2, finetuner_pb2, predictor_pb2, searcher_pb2

PACKAGES = (
    "donna",
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "grpcio",
    "numpy",
    "scikit-learn",
    "pymoo",
)


def build_result(spec: Spec, outcome: Outcome, folder: RunFolder) -> dict[str, Any]:
    """Everything that a run found out, as plain JSON values."""
    library, search, judged = outcome.library, outcome.found.search, outcome.found.fitted.holdout
    predictor = outcome.found.fitted.predictor
    cost = library.job.cost
    agreement = predictor.leave_one_out
    holdout = judged.agreement if judged else None
    found = {
        "name": spec.name,
        "seed": spec.seed,
        "devices": {
            name: {"kind": device.kind, "description": device.description}
            for name, device in outcome.devices.items()
        },
        "reference": _measured_twice(
            _model("reference", outcome.reference, outcome),
            {device: latency.median_ms for device, latency in outcome.beside_search.items()},
        ),
        "space": {
            "num_blocks": library.num_blocks,
            "num_options": list(library.num_options),
            "num_architectures": int(library.num_architectures),
        },
        "library": {
            "name": library.name,
            "num_blocks_trained": cost.blocks_trained,
            "num_blocks_reused": cost.blocks_reused,
            "block_epochs": cost.block_epochs,
            "reference_passes": cost.reference_passes,
            **library_values(outcome.manifest),
        },
        "predictor": {
            "name": predictor.name,
            "order": predictor.order,
            "target": predictor_pb2.Target.Name(predictor.target).removeprefix("TARGET_").lower(),
            "ridge_strength": predictor.ridge_strength,
            "qualities": list(predictor.qualities),
            "interval_coverage": spec.predictor.interval_coverage,
            "num_samples": agreement.num_samples,
            "kendall_tau_loo": agreement.kendall_tau.value,
            "kendall_tau_loo_interval": [agreement.kendall_tau.low, agreement.kendall_tau.high],
            "r2_loo": agreement.r2.value,
            "mse_loo": agreement.mse.value,
            "num_holdout": holdout.num_samples if holdout else 0,
            "kendall_tau_holdout": holdout.kendall_tau.value if holdout else None,
            "samples": [_sample(sample) for sample in predictor.samples],
            "holdout": [_sample(sample) for sample in judged.samples] if judged else [],
            "learning_curve": [
                {
                    "num_samples": p.num_samples,
                    "kendall_tau_mean": p.kendall_tau_mean,
                    "kendall_tau_std": p.kendall_tau_std,
                }
                for p in predictor.learning_curve
            ],
        },
        "search": search_values(search) | {"seed": spec.search_seed},
        "improvement": rounds_of(outcome.found.rounds),
        "front": front_values(search),
        "models": [
            {"architecture": _architecture(winner.point.architecture)}
            | _winner(_model(winner.name, winner.network, outcome), winner.point)
            for winner in outcome.winners
        ],
        "baselines": list(outcome.baselines),
        "cost": _cost(list(outcome.costs.values())),
        "cost_by_phase": {phase: _cost([cost]) for phase, cost in outcome.costs.items()},
        "planned_s": folder.planned_s,
        "timings_s": {**folder.timings_s, "total": round(sum(folder.timings_s.values()), 3)},
        "versions": _versions(),
    }
    return finite(found)


def finite(value: Any) -> Any:
    """Plain values that JSON has: NaN, which tau is among equal accuracies, and infinity become None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def library_values(manifest: Library) -> dict[str, Any]:
    """What a library can be drawn from: its ends, and the options of its blocks."""
    return {
        "input_shape": list(manifest.input_shape),
        "num_classes": manifest.num_classes,
        "stem": _part(manifest.stem),
        "blocks": [_block(block) for block in manifest.blocks],
        "head": _part(manifest.head),
    }


def search_values(search: searcher_pb2.Search) -> dict[str, Any]:
    """How a search went, or how far it is."""
    return {
        "name": search.name,
        "evaluations": search.num_evaluations,
        "measured": sum(search.num_measured.values()),
        "hypervolume": [g.hypervolume for g in search.generations],
        "latency_table_errors": {
            device: {
                "num_calibration": error.num_calibration,
                "num_holdout": error.num_holdout,
                "sum_relative_error": error.sum_relative_error,
                "calibrated_relative_error": error.calibrated_relative_error,
                "kendall_tau": error.kendall_tau,
            }
            for device, error in search.latency_table_errors.items()
        },
    }


def front_values(search: searcher_pb2.Search) -> list[dict[str, Any]]:
    """The front of a search, as it stands."""
    return [
        {
            "architecture": _architecture(point.architecture),
            "predicted_accuracy": point.predicted_accuracy,
            "accuracy_interval": [point.accuracy_low, point.accuracy_high],
            "latency_ms": dict(point.latency_ms),
            "parameters": point.parameters,
            "macs": point.macs,
            "model_bytes": point.model_bytes,
            "activation_bytes": point.activation_bytes,
            "unstable_devices": list(point.unstable_devices),
            "extrapolated": point.extrapolated,
        }
        for point in search.front
    ]


def _part(part: Part) -> dict[str, int]:
    return {"parameters": part.parameters, "macs": part.macs}


def _block(block: Block) -> dict[str, Any]:
    """A searchable block and what may replace it, with the quality (held-out NSR) of each option.

    `settled` is whether the ranking of the options still changed at the end of the training; None when not known.
    """
    agreement = rank_correlation(block)
    return {
        "name": block.name,
        "rank_correlation": agreement,
        "settled": None if agreement is None else agreement >= SETTLED,
        "input_shape": list(block.input_shape),
        "output_shape": list(block.output_shape),
        "options": [
            {"option": e.option, "quality": e.quality, "parameters": e.parameters, "macs": e.macs}
            for e in block.entries
        ],
    }


def _architecture(message: common_pb2.Architecture) -> str:
    return str(Architecture(choices=tuple(message.choices)))


def _sample(sample: predictor_pb2.PredictedSample) -> dict[str, Any]:
    return {
        "architecture": _architecture(sample.architecture),
        "accuracy": sample.accuracy,
        "predicted_accuracy": sample.predicted_accuracy,
        "interval": [sample.low, sample.high],
    }


def _model(name: str, network: finetuner_pb2.FinetunedNetwork, outcome: Outcome) -> dict[str, Any]:
    """A network with its ONNX model; `int8` has the quantised model, where one was asked for."""
    figures = {
        "name": name,
        "accuracy": network.accuracy,
        "num_samples": network.num_samples,
        "parameters": network.parameters,
        "macs": network.macs,
        **_exported(name, network.model, outcome),
    }
    if not network.int8_model.onnx.sha256:
        return figures
    quantised = _exported(int8_name(name), network.int8_model, outcome)
    return figures | {"int8": {"accuracy": network.int8_model.accuracy, **quantised}}


def int8_name(name: str) -> str:
    """What the quantised model of a network is called."""
    return f"{name}.int8"


def _exported(name: str, model: finetuner_pb2.ExportedModel, outcome: Outcome) -> dict[str, Any]:
    latencies = outcome.latencies[name]
    return {
        "latency_ms": {device: latency.median_ms for device, latency in latencies.items()},
        "latency_interval_ms": {device: list(latency.interval_ms) for device, latency in latencies.items()},
        "latency_rounds_ms": {device: list(latency.rounds_ms) for device, latency in latencies.items()},
        "speedup": {
            device: speedup(reference.rounds_ms, latencies[device].rounds_ms)
            for device, reference in outcome.latencies["reference"].items()
        },
        "unstable_devices": [device for device, latency in latencies.items() if latency.unstable],
        "size_bytes": model.onnx.size_bytes,
        "onnx": f"models/{name}.onnx",
        "onnx_sha256": model.onnx.sha256,
        "onnx_top1_agreement": model.top1_agreement,
        "onnx_max_abs_diff": model.max_abs_diff,
    }


def _winner(model: dict[str, Any], point: searcher_pb2.FrontPoint) -> dict[str, Any]:
    """A model beside what the search knew of it."""
    return _measured_twice(model, point.latency_ms) | {"predicted_accuracy": point.predicted_accuracy}


def _measured_twice(model: dict[str, Any], searched_ms: Mapping[str, float]) -> dict[str, Any]:
    """A model with its latency at the time of the search, of networks without their weights.

    `latency_difference` is the exported model's latency over that, minus 1, by device.
    """
    known = {device: searched_ms[device] for device in model["latency_ms"] if searched_ms.get(device)}
    return model | {
        "searched_latency_ms": known,
        "latency_difference": {device: model["latency_ms"][device] / ms - 1 for device, ms in known.items()},
    }


def _cost(costs: list[common_pb2.Cost]) -> dict[str, float]:
    """The ledger of the run: the sum of what its jobs report."""
    names = [f.name for f in common_pb2.Cost.DESCRIPTOR.fields]
    return {name: sum(getattr(cost, name) for cost in costs) for name in names}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def front_csv(result: dict[str, Any]) -> str:
    """The front as a table; one latency column for each device."""
    devices = sorted({device for point in result["front"] for device in point["latency_ms"]})
    costs = ("parameters", "macs", "model_bytes", "activation_bytes")
    columns = ("architecture", "predicted_accuracy", *(f"latency_ms_{device}" for device in devices), *costs)
    rows = [
        (
            point["architecture"],
            point["predicted_accuracy"],
            *(point["latency_ms"].get(device, "") for device in devices),
            *(point[cost] for cost in costs),
        )
        for point in result["front"]
    ]
    return csv_text(columns, rows)
