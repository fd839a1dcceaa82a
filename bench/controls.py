"""What library weights and distillation are worth: three controls against training from scratch. Prints JSON.

For each seed, the same architectures are trained four ways: library weights + distillation, random weights +
distillation and library weights without distillation, each for E/9 epochs; and random weights with labels alone
for E epochs. Accuracies are on the test part, which chooses nothing.

    python -m bench.controls                                    # digits, bundled
    python -m bench.controls --data-root DIR --train cifar10-train --test cifar10-test --training 5000 --epochs 45
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from typing import Any

import numpy as np
import torch

from donna import local
from donna.client import Client
from donna.rpc.messages import dict_to_struct
from donna.space import expand
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2

BLOCKS = ("stage1", "stage2", "stage3", "stage4")
OPTIONS = [
    str(option)
    for option in expand(
        "inverted_residual",
        {"kernel": [3, 5], "expansion": [1, 3], "depth": [1, 2], "activation": "relu", "attention": "none"},
    )
]
SHARE = 9


def ways(epochs: float) -> dict[str, dict[str, Any]]:
    """The recipe fields of each way to train."""
    short, random = epochs / SHARE, finetuner_pb2.INITIALIZATION_RANDOM
    return {
        "library weights, distillation, E/9": {"epochs": short, "soft_weight": 0.5},
        "random weights, distillation, E/9": {"epochs": short, "soft_weight": 0.5, "initialization": random},
        "library weights, labels only, E/9": {"epochs": short, "soft_weight": 0.0},
        "random weights, labels only, E": {"epochs": epochs, "soft_weight": 0.0, "initialization": random},
    }


def run(client: Client, options: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """Test accuracies of the architectures, by way of training."""
    data = dataset(options, seed)
    recipe = {"batch_size": options.batch_size, "learning_rate": options.learning_rate, "seed": seed}
    trained = client.wait(
        client.create(
            finetuner_pb2.FinetuneSpec(
                reference=reference(options),
                dataset=data,
                networks=[finetuner_pb2.Network(reference=True)],
                recipe=finetuner_pb2.FinetuneRecipe(epochs=options.epochs, **recipe),
            )
        )
    ).networks[0]
    library = client.wait(
        client.create(
            distiller_pb2.BlockLibrarySpec(
                reference=reference(options, trained.weights),
                dataset=data,
                blocks=[distiller_pb2.BlockSpace(name=name, options=OPTIONS) for name in BLOCKS],
                recipe=distiller_pb2.DistillationRecipe(
                    epochs=options.distillation_epochs,
                    batch_size=options.batch_size,
                    learning_rate=1e-2,
                    seed=seed,
                ),
            )
        )
    )
    drawn = np.random.default_rng(seed).integers(0, len(OPTIONS), (options.networks, len(BLOCKS)))
    networks = [
        finetuner_pb2.Network(architecture=common_pb2.Architecture(choices=c)) for c in drawn.tolist()
    ]
    accuracies: dict[str, list[float]] = {"reference": [trained.accuracy]}
    for way, fields in ways(options.epochs).items():
        job = client.wait(
            client.create(
                finetuner_pb2.FinetuneSpec(
                    library=library.manifest,
                    networks=networks,
                    recipe=finetuner_pb2.FinetuneRecipe(
                        temperature=4.0, warmup_fraction=0.1, **recipe, **fields
                    ),
                    evaluate_on=finetuner_pb2.EVALUATION_PART_TEST,
                )
            )
        )
        for network in job.networks:
            if network.error.reason:
                raise SystemExit(f"seed {seed}, {way}: {network.error.message}")
        accuracies[way] = [network.accuracy for network in job.networks]
        sys.stderr.write(f"seed {seed}, {way}: {np.mean(accuracies[way]):.4f}\n")
    return accuracies


def reference(
    options: argparse.Namespace, weights: common_pb2.Artifact | None = None
) -> common_pb2.Reference:
    """A small residual network for the images of the dataset."""
    arguments = {"in_channels": 3 if options.train else 1, "num_classes": 10, "widths": options.widths}
    return common_pb2.Reference(provider="small_cnn", arguments=dict_to_struct(arguments), weights=weights)


def dataset(options: argparse.Namespace, seed: int) -> common_pb2.Dataset:
    """Digits, or Parquet files in the data root."""
    split = common_pb2.DatasetSplit(
        training=options.training, quality=150, validation=150, test=options.testing, seed=seed
    )
    if not options.train:
        return common_pb2.Dataset(provider="digits", split=split)
    files = dict_to_struct({"train": options.train, "test": options.test})
    return common_pb2.Dataset(provider="parquet", arguments=files, split=split)


def main() -> None:
    """Runs every seed and prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=45)
    parser.add_argument("--distillation-epochs", type=float, default=12)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--training", type=int, default=800)
    parser.add_argument("--testing", type=int, default=397)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--widths", type=int, nargs=4, default=[8, 16, 24, 32])
    parser.add_argument("--train", default="", help="Parquet file in the data root; empty means digits")
    parser.add_argument("--test", default="", help="Parquet file that was set apart for testing")
    parser.add_argument("--data-root", default="", help="folder of the Parquet files")
    options = parser.parse_args()
    if options.data_root:
        os.environ["DONNA_DATA_ROOT"] = options.data_root
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="donna-controls-") as state,
        local.services(state, only=("distiller", "finetuner")) as client,
    ):
        runs = {seed: run(client, options, seed) for seed in options.seeds}
    means = {
        way: [float(np.mean(found[way])) for found in runs.values()] for way in next(iter(runs.values()))
    }
    result = {
        "settings": {name: value for name, value in vars(options).items() if name != "data_root"},
        "machine": {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count()},
        "torch": torch.__version__,
        "accuracy_by_seed": {str(seed): found for seed, found in runs.items()},
        "mean_accuracy": {way: float(np.mean(values)) for way, values in means.items()},
        "std_over_seeds": {way: float(np.std(values)) for way, values in means.items()},
        "wall_s": round(time.monotonic() - started, 1),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
