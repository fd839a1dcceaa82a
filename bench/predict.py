"""Architectures predicted per second, in process and over gRPC on loopback. Prints JSON.

The library is synthetic (qualities are drawn), everything else is real: the fit, the tables, and for the
second figure the predictor as a process of its own, spoken to in packed form.

    python -m bench.predict --blocks 5 --options 384
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from donna.artifacts import ArtifactStore
from donna.jobs import lifeline
from donna.rpc.channel import Remote, open_channel
from donna.rpc.messages import artifact_message, pack_architectures
from donna.space import Block, Entry, Library, Option, Part
from donna.v1 import common_pb2
from donna.v1 import predictor_pb2 as pb
from donna.v1.predictor_pb2_grpc import PredictorServiceStub
from services.predictor.fit import FitOptions, fit

SAMPLES = 30
NOTHING = "0" * 64


def library(num_blocks: int, num_options: int) -> Library:
    """A library with drawn qualities; its weights do not exist."""
    rng = np.random.default_rng(0)
    costs: dict[str, Any] = {"parameters": 1, "macs": 1, "weight_bytes": 4, "activation_bytes": 4}
    part = Part(**costs, weights=NOTHING, fragment=NOTHING)

    def entry(m: int) -> Entry:
        option = str(Option.of("conv", {"index": m}))
        quality = float(rng.gamma(2.0, 0.15))
        return Entry(option=option, key=option, quality=quality, **costs, weights=NOTHING, fragment=NOTHING)

    blocks = tuple(
        Block(
            name=f"block{n}",
            input_shape=(8, 8, 8),
            output_shape=(8, 8, 8),
            entries=tuple(entry(m) for m in range(num_options)),
        )
        for n in range(num_blocks)
    )
    return Library(
        reference={},
        dataset={},
        recipe={},
        provenance={},
        input_shape=(1, 8, 8),
        num_classes=10,
        stem=part,
        blocks=blocks,
        head=part,
    )


def best_per_s(count: int, call: Callable[[], object], repeats: int) -> float:
    """Architectures per second of the fastest of some repeats: what the machine can do when left alone."""
    fastest = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - started)
    return round(count / fastest)


@contextmanager
def predictor_process(folder: Path) -> Iterator[str]:
    """The address of a predictor that runs as a process of its own."""
    announced = folder / "address"
    settings = {
        "DONNA_PREDICTOR_STATE": str(folder),
        "DONNA_PREDICTOR_ADDRESS_FILE": str(announced),
        "DONNA_PREDICTOR_LOG_LEVEL": "WARNING",
    }
    process = lifeline.spawn(["-m", "services.predictor"], env=os.environ | settings)
    try:
        while not announced.exists():
            if process.poll() is not None:
                raise SystemExit("the predictor did not start")
            time.sleep(0.02)
        yield announced.read_text()
    finally:
        lifeline.stop(process)


def over_grpc(
    manifest: Library, spec: pb.PredictorSpec, choices: np.ndarray, rows: int, repeats: int
) -> dict[str, float]:
    """Figures of one order of regression; the packing of choices counts as part of a call."""
    with tempfile.TemporaryDirectory() as name, predictor_process(Path(name)) as address:
        artifact = ArtifactStore(Path(name) / "artifacts").put_bytes(manifest.to_json())
        spec.library.CopyFrom(artifact_message(artifact))
        with open_channel(address) as channel:
            stub = Remote(PredictorServiceStub, channel)
            created = stub.CreatePredictor(pb.CreatePredictorRequest(spec=spec)).predictor
            *_, last = stub.WatchPredictor(pb.WatchPredictorRequest(name=created.name))
            if last.predictor.job.state != common_pb2.JOB_STATE_SUCCEEDED:
                raise SystemExit(f"the fit failed: {last.predictor.job.error.message}")

            def predict(part: np.ndarray, *, intervals: bool = False) -> bytes:
                packed = pack_architectures(part)
                request = pb.PredictRequest(
                    predictor=created.name, architectures=packed, include_intervals=intervals
                )
                return stub.Predict(request).accuracies

            parts = [choices[start : start + rows] for start in range(0, len(choices), rows)]
            one_ms = []
            for row in choices[:200]:
                started = time.perf_counter()
                predict(row[None])
                one_ms.append(1e3 * (time.perf_counter() - started))
            with ThreadPoolExecutor(2) as pool:
                return {
                    "per_s": best_per_s(len(choices), lambda: [predict(part) for part in parts], repeats),
                    "per_s_two_clients": best_per_s(
                        len(choices), lambda: list(pool.map(predict, parts)), repeats
                    ),
                    "per_s_with_intervals": best_per_s(
                        len(choices), lambda: [predict(part, intervals=True) for part in parts], repeats
                    ),
                    "one_architecture_ms": round(statistics.median(one_ms), 3),
                }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--options", type=int, default=384)
    parser.add_argument("--architectures", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=200_000, help="architectures in one call")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()

    manifest = library(given.blocks, given.options)
    rng = np.random.default_rng(1)
    choices = rng.integers(0, manifest.num_options, size=(given.architectures, given.blocks)).astype("<u2")
    samples = rng.integers(0, manifest.num_options, size=(SAMPLES, given.blocks))
    accuracy = np.clip(0.95 - 0.05 * manifest.qualities(samples).sum(axis=1), 0, 1)
    report: dict[str, object] = {
        "machine": {
            "system": platform.platform(),
            "cpus": os.cpu_count(),
            "load_1min": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "space": {"blocks": given.blocks, "options": given.options},
        "architectures": given.architectures,
        "rows_per_call": given.rows,
    }
    for order, name in ((1, "first_order"), (2, "second_order")):
        started = time.perf_counter()
        fitted = fit(manifest, samples, accuracy, FitOptions(order=1 if order == 1 else 2))
        fit_s = round(time.perf_counter() - started, 3)
        model = fitted.model.bind(manifest)
        spec = pb.PredictorSpec(
            order=order,
            samples=[
                pb.AccuracySample(architecture=common_pb2.Architecture(choices=row), accuracy=value)
                for row, value in zip(samples.tolist(), accuracy, strict=True)
            ],
        )
        report[name] = {
            "fit_s": fit_s,
            "in_process": {
                "per_s": best_per_s(len(choices), partial(model.accuracies, choices), given.repeats),
                "per_s_with_intervals": best_per_s(
                    len(choices), partial(model.predict, choices), given.repeats
                ),
            },
            "over_grpc": over_grpc(manifest, spec, choices, given.rows, given.repeats),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
