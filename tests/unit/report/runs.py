"""A result.json as a run writes it, of a made-up space: what the page is tested on."""

from __future__ import annotations

from typing import Any

import numpy as np

from donna.space.option import expand

OPTIONS = [
    *expand(
        "inverted_residual",
        {
            "kernel": [3, 5],
            "expansion": [1, 3],
            "depth": [1, 2],
            "activation": "relu",
            "attention": ["none", "squeeze_excite"],
            "convolution": "depthwise",
        },
    ),
    *expand("skip", {}),
]
BLOCKS = ("stage1", "stage2", "stage3", "stage4")


def run_result(devices: tuple[str, ...] = ("local",), **changes: Any) -> dict[str, Any]:
    """Figures that hang together: qualities make accuracies, multiply-adds make latencies."""
    random = np.random.default_rng(7)
    blocks = [_block(n, name, random) for n, name in enumerate(BLOCKS)]
    architectures = [tuple(int(c) for c in random.integers(0, len(OPTIONS), len(BLOCKS))) for _ in range(300)]
    points = sorted({a: _point(a, blocks, devices) for a in architectures}.values(), key=lambda p: p["macs"])
    front = [p for p in points if not _dominated(p, points, devices[0])]
    chosen = [front[len(front) // 4], front[len(front) // 2], front[-1]]
    samples = [_sample(p, random) for p in points[::9][:24]]
    result = {
        "name": "digits",
        "seed": 0,
        "devices": {d: {"kind": "x86_64-cpu-2c", "description": "a processor of 2 cores"} for d in devices},
        "reference": _model("reference", 0.972, {d: 0.4 * (i + 1) for i, d in enumerate(devices)}, 4_200_000),
        "space": {"num_blocks": 4, "num_options": [len(OPTIONS)] * 4, "num_architectures": len(OPTIONS) ** 4},
        "library": {
            "name": "blockLibraries/1",
            "num_blocks_trained": 68,
            "num_blocks_reused": 0,
            "block_epochs": 816.0,
            "reference_passes": 120,
            "input_shape": [1, 8, 8],
            "num_classes": 10,
            "stem": {"parameters": 176, "macs": 9_216},
            "blocks": blocks,
            "head": {"parameters": 650, "macs": 640},
        },
        "predictor": {
            "name": "predictors/1",
            "order": 1,
            "target": "negative_log_error",
            "ridge_strength": 0.1,
            "qualities": ["nsr"],
            "num_samples": 24,
            "kendall_tau_loo": 0.78,
            "kendall_tau_loo_interval": [0.61, 0.9],
            "r2_loo": 0.8,
            "mse_loo": 2e-4,
            "num_holdout": 10,
            "kendall_tau_holdout": 0.82,
            "samples": samples,
            "holdout": [_sample(p, random) for p in points[4::11][:10]],
            "learning_curve": [
                {"num_samples": n, "kendall_tau_mean": 0.85 - 1.6 / n, "kendall_tau_std": 0.9 / n}
                for n in (6, 9, 12, 15, 18, 21)
            ],
        },
        "search": {
            "name": "searches/1",
            "evaluations": len(points),
            "measured": len(points),
            "seed": 0,
            "hypervolume": [0.52, 0.61, 0.66, 0.69, 0.7, 0.705],
            "latency_table_errors": {},
        },
        "improvement": [],
        "front": front,
        "models": [
            _model(
                f"digits-{i + 1}",
                p["predicted_accuracy"] + 0.012,
                {d: 1.1 * ms for d, ms in p["latency_ms"].items()},
                p["macs"],
            )
            | {"architecture": p["architecture"], "predicted_accuracy": p["predicted_accuracy"]}
            for i, p in enumerate(chosen)
        ],
        "cost": {"blocks_trained": 68, "block_epochs": 816.0, "networks_trained": 37, "network_epochs": 114.0,
                 "measurements": len(points), "device_s": 42.0, "compute_s": 160.5, "bytes_written": 9_000_000},
        "cost_by_phase": {
            "reference": {"networks_trained": 1, "network_epochs": 20.0, "compute_s": 6.5},
            "library": {"blocks_trained": 68, "block_epochs": 816.0, "compute_s": 90.0, "bytes_written": 8_000_000},
            "samples": {"networks_trained": 34, "network_epochs": 34.0, "compute_s": 44.0},
            "search": {"measurements": len(points), "device_s": 42.0},
            "winners": {"networks_trained": 3, "network_epochs": 60.0, "compute_s": 20.0, "bytes_written": 1_000_000},
        },
        "timings_s": {"check": 1.1, "reference": 7.2, "library": 92.0, "samples": 45.1, "predictor": 2.4,
                      "search": 48.8, "finetune": 22.0, "measure": 3.0, "total": 221.6},
        "versions": {"python": "3.11", "donna": "0.1.0"},
    }  # fmt: skip
    return result | changes


def evaluations_csv(result: dict[str, Any]) -> str:
    """Networks behind the front, as a search lists them."""
    random = np.random.default_rng(1)
    blocks, devices = result["library"]["blocks"], tuple(result["reference"]["latency_ms"])
    rows = [
        "architecture,generation,predicted_accuracy,feasible," + ",".join(f"latency_ms_{d}" for d in devices)
    ]
    for _ in range(200):
        p = _point(tuple(int(c) for c in random.integers(0, len(OPTIONS), len(BLOCKS))), blocks, devices)
        latencies = ",".join(str(v) for v in p["latency_ms"].values())
        rows.append(f"{p['architecture']},1,{p['predicted_accuracy']},1,{latencies}")
    return "\n".join(rows) + "\n"


def _block(n: int, name: str, random: np.random.Generator) -> dict[str, Any]:
    options = []
    for option in OPTIONS:
        if option.family == "skip":
            quality, macs = 0.9, 0
        else:
            size = int(option["kernel"]) * int(option["expansion"]) ** 0.7 * int(option["depth"]) ** 0.6
            quality, macs = float(0.5 / size * random.uniform(0.8, 1.2) * (1 + n / 3)), int(40_000 * size)
        options.append({"option": str(option), "quality": quality, "parameters": macs // 60, "macs": macs})
    shape = [16 * (n + 1), 8 >> (n // 2), 8 >> (n // 2)]
    agreement = (0.97, 0.62, None, 1.0)[n]
    return {
        "name": name,
        "rank_correlation": agreement,
        "settled": None if agreement is None else agreement >= 0.9,
        "input_shape": shape,
        "output_shape": shape,
        "options": options,
    }


def _point(
    architecture: tuple[int, ...], blocks: list[dict[str, Any]], devices: tuple[str, ...]
) -> dict[str, Any]:
    entries = [block["options"][c] for block, c in zip(blocks, architecture, strict=True)]
    accuracy = 0.985 - 0.09 * sum(e["quality"] for e in entries)
    macs = sum(e["macs"] for e in entries) + 9_856
    return {
        "architecture": "-".join(map(str, architecture)),
        "predicted_accuracy": accuracy,
        "accuracy_interval": [accuracy - 0.015, min(1.0, accuracy + 0.015)],
        "latency_ms": {d: (0.03 + macs / 9e6) * (i + 1) for i, d in enumerate(devices)},
        "parameters": macs // 60,
        "macs": macs,
        "model_bytes": macs // 15,
        "activation_bytes": 4096,
        "unstable_devices": [],
        "extrapolated": False,
    }


def _dominated(point: dict[str, Any], points: list[dict[str, Any]], device: str) -> bool:
    return any(
        q["latency_ms"][device] <= point["latency_ms"][device]
        and q["predicted_accuracy"] > point["predicted_accuracy"]
        for q in points
    )


def _sample(point: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    predicted = point["predicted_accuracy"]
    return {
        "architecture": point["architecture"],
        "accuracy": min(1.0, predicted + float(random.normal(0, 0.008))),
        "predicted_accuracy": predicted,
        "interval": point["accuracy_interval"],
    }


def _model(name: str, accuracy: float, latency_ms: dict[str, float], macs: int) -> dict[str, Any]:
    return {
        "name": name,
        "accuracy": accuracy,
        "num_samples": 497,
        "latency_ms": latency_ms,
        "latency_interval_ms": {d: [0.98 * v, 1.02 * v] for d, v in latency_ms.items()},
        "searched_latency_ms": {d: v / 1.1 for d, v in latency_ms.items()},
        "latency_difference": dict.fromkeys(latency_ms, 0.1),
        "speedup": dict.fromkeys(latency_ms, 1.5),
        "unstable_devices": [],
        "parameters": macs // 60,
        "macs": macs,
        "size_bytes": macs // 10,
        "onnx": f"models/{name}.onnx",
        "onnx_sha256": "0" * 64,
        "onnx_top1_agreement": 1.0,
        "onnx_max_abs_diff": 1e-6,
    }
