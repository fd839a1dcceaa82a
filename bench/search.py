"""The time of a search in predicted mode against pymoo alone with free evaluations. Prints JSON.

The search is the whole thing: the job engine with its SQLite store written after every generation, and a
predictor as a process of its own, asked over gRPC on loopback. pymoo alone is its NSGA-II with its own integer
operators, and objectives that are looked up in a table. Qualities and costs of the library are drawn. `ratio` is of
wall-clock times; `ratio_cpu` is of processor times without the predictor's, which a busy machine changes less.

    python -m bench.search --blocks 5 10 20 --objectives 1 2 4
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pymoo
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from bench.predict import library as drawn_library
from bench.predict import predictor_process
from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.jobs.database import open_database
from donna.jobs.engine import Engine
from donna.jobs.placement import Threads
from donna.rpc.channel import Remote, open_channel
from donna.rpc.messages import architecture_message, artifact_message, pack_architectures
from donna.space import Library
from donna.v1 import common_pb2
from donna.v1 import predictor_pb2 as pb
from donna.v1.predictor_pb2_grpc import PredictorServiceStub
from services.predictor.shelf import Shelf
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.library_tables import cost
from services.searcher.metric import COSTS, Metric
from services.searcher.profilers import Profilers
from services.searcher.spec import SearchSpec
from services.searcher.weightless import Weightless
from services.searcher.work import SearchWork, Surroundings

SAMPLES = 30
OBJECTIVES = [
    Metric(name="accuracy"),
    *(Metric(name=name) for name in ("macs", "parameters", "activation_bytes")),
]


def library(num_blocks: int, num_options: int) -> Library:
    """Drawn qualities, and drawn costs such that dear options tend to be better."""
    plain = drawn_library(num_blocks, num_options)
    rng = np.random.default_rng(1)
    blocks = []
    for block in plain.blocks:
        entries = []
        for entry in block.entries:
            parameters = int(rng.integers(1_000, 100_000))
            entries.append(
                replace(
                    entry,
                    quality=entry.quality * (20_000 / parameters) ** 0.5,
                    parameters=parameters,
                    weight_bytes=4 * parameters,
                    macs=int(parameters * rng.integers(50, 200)),
                    activation_bytes=int(rng.integers(1_000, 1_000_000)),
                )
            )
        blocks.append(replace(block, entries=tuple(entries)))
    return replace(plain, blocks=tuple(blocks))


@dataclass(frozen=True, kw_only=True)
class Watched(Surroundings):
    """Keeps the predictor's client of every search, and every batch that it was asked."""

    clients: list[Recorded] = field(default_factory=list)

    def accuracy(self, spec: SearchSpec) -> PredictedAccuracy | None:
        assert self.predictor is not None
        self.clients.append(Recorded(self.predictor, spec.predictor, spec.library))
        return self.clients[-1]


class Recorded(PredictedAccuracy):
    """Remembers its batches."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches: list[np.ndarray] = []

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.batches.append(X)
        return super().__call__(X)


class FreeProblem(Problem):
    """The same objectives, looked up: additive in tables, so an evaluation costs next to nothing."""

    def __init__(self, manifest: Library, num_objectives: int) -> None:
        counts = np.array(manifest.num_options)
        super().__init__(n_var=len(counts), n_obj=num_objectives, xl=0, xu=counts - 1, vtype=int)
        shape = (len(counts), max(counts), num_objectives)
        self.tables = np.random.default_rng(0).uniform(size=shape)
        for k, metric in enumerate(OBJECTIVES[:num_objectives]):
            for n, block in enumerate(manifest.blocks):
                names = {"accuracy": "quality"}
                self.tables[n, :, k] = [
                    getattr(e, names.get(metric.name, metric.name)) for e in block.entries
                ]

    def _evaluate(self, X: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        out["F"] = self.tables[np.arange(X.shape[1]), X.astype(int)].sum(axis=1)


def pymoo_alone_s(
    manifest: Library, num_objectives: int, population: int, generations: int, seed: int
) -> float:
    """Seconds of pymoo's NSGA-II by itself."""
    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=15, vtype=float, repair=RoundingRepair()),
        mutation=PM(eta=20, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    problem = FreeProblem(manifest, num_objectives)
    started = time.perf_counter()
    minimize(problem, algorithm, ("n_gen", generations), seed=seed, verbose=False)
    return time.perf_counter() - started


class Stage:
    """A predictor process with a fitted predictor, and a searcher's engine in this process."""

    def __init__(self, folder: Path, address: str, manifest: Library) -> None:
        self.manifest = manifest
        self.artifacts = ArtifactStore(folder / "artifacts")
        self.digest = self.artifacts.put_bytes(manifest.to_json()).sha256
        channel = open_channel(address)
        self.predictor = self._fit(Remote(PredictorServiceStub, channel))
        self.around = Watched(
            artifacts=self.artifacts,
            fragments=Weightless(self.artifacts),
            predictor=channel,
            profilers=Profilers({}),
            token="",
            measurement_deadline_s=60,
            measurement_attempts=1,
            retry_s=1,
        )
        store = JobStore(open_database(f"sqlite:///{folder / 'searcher.db'}"))
        work = SearchWork(self.around)
        self.engine = Engine(store, work, Threads(store, work, limit=1))
        self.engine.start()

    def _fit(self, remote: Remote) -> pb.Predictor:
        rng = np.random.default_rng(2)
        X = rng.integers(0, self.manifest.num_options, size=(SAMPLES, len(self.manifest.blocks)))
        accuracies = 0.95 - 0.02 * self.manifest.qualities(X).sum(axis=1)
        samples = [
            pb.AccuracySample(architecture=architecture_message(row), accuracy=float(np.clip(a, 0, 1)))
            for row, a in zip(X, accuracies, strict=True)
        ]
        spec = pb.PredictorSpec(
            library=artifact_message(self.artifacts.describe(self.digest)), samples=samples
        )
        created = remote.CreatePredictor(pb.CreatePredictorRequest(spec=spec)).predictor
        *_, last = remote.WatchPredictor(pb.WatchPredictorRequest(name=created.name))
        if last.predictor.job.state != common_pb2.JOB_STATE_SUCCEEDED:
            raise SystemExit(f"the fit failed: {last.predictor.job.error.message}")
        return last.predictor

    def search(self, num_objectives: int, population: int, generations: int, seed: int) -> dict[str, float]:
        """Seconds of one search by part; the search runs from its claim to its result."""
        spec = SearchSpec(
            library=self.digest,
            predictor=self.predictor.name,
            objectives=tuple(OBJECTIVES[:num_objectives]),
            population=population,
            generations=generations,
            seed=seed,
        )
        started = time.process_time()
        job = self.engine.create(spec.to_dict())
        while not (job := self.engine.store.get(job.name)).state.ended:
            time.sleep(0.1)
        search_cpu_s = time.process_time() - started
        if job.result is None or job.started_at is None:
            raise SystemExit(f"the search failed: {job.error}")
        client = self.around.clients[-1]
        generation_batches = client.batches[-len(job.result["generations"]) :]
        return {
            "search_s": job.cost["compute_s"],
            "search_cpu_s": search_cpu_s,
            "predict_calls_s": client.spent_s,
            "prediction_s": self._replay(client.batches),
            "encoding_s": _timed(lambda: [pack_architectures(X) for X in client.batches]),
            "costs_s": _timed(
                lambda: [cost(self.manifest, X, name) for X in generation_batches for name in COSTS]
            ),
            "evaluations": float(job.result["num_evaluations"]),
            "hypervolume": job.result["generations"][-1]["hypervolume"],
        }

    def _replay(self, batches: list[np.ndarray]) -> float:
        """Seconds that the model itself takes for these batches, in this process."""
        model = Shelf(self.artifacts, limit=2).model(self.predictor.model.sha256, self.digest)
        return _timed(lambda: [model.accuracies(X) for X in batches])


def _timed(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def compare(
    stage: Stage, num_objectives: int, population: int, generations: int, repeats: int
) -> dict[str, Any]:
    """The fastest of some repeats of both, interleaved, and the shares of the search's time."""
    alone, alone_cpu, ours = [], [], []
    for seed in range(repeats):
        started = time.process_time()
        alone.append(pymoo_alone_s(stage.manifest, num_objectives, population, generations, seed))
        alone_cpu.append(time.process_time() - started)
        ours.append(stage.search(num_objectives, population, generations, seed))
    best = min(ours, key=lambda figures: figures["search_s"])
    total = best["search_s"]
    rpc_s = max(0.0, best["predict_calls_s"] - best["prediction_s"] - best["encoding_s"])
    return {
        "blocks": len(stage.manifest.blocks),
        "options": max(stage.manifest.num_options),
        "objectives": num_objectives,
        "evaluations": int(best["evaluations"]),
        "pymoo_alone_s": round(min(alone), 3),
        "search_s": round(total, 3),
        "ratio": round(total / min(alone), 2),
        "ratio_cpu": round(min(figures["search_cpu_s"] for figures in ours) / min(alone_cpu), 2),
        "share_rpc": round(rpc_s / total, 3),
        "share_prediction": round(best["prediction_s"] / total, 3),
        "share_encoding": round(best["encoding_s"] / total, 3),
        "share_costs": round(best["costs_s"] / total, 3),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--objectives", type=int, nargs="+", default=[1, 2, 4], choices=[1, 2, 3, 4])
    parser.add_argument("--options", type=int, default=384)
    parser.add_argument("--population", type=int, default=100)
    parser.add_argument("--generations", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    found = []
    for blocks in given.blocks:
        with tempfile.TemporaryDirectory() as name, predictor_process(Path(name)) as address:
            stage = Stage(Path(name), address, library(blocks, given.options))
            try:
                found += [
                    compare(stage, k, given.population, given.generations, given.repeats)
                    for k in given.objectives
                ]
            finally:
                stage.engine.close()
    print(
        json.dumps(
            {
                "population": given.population,
                "generations": given.generations,
                "repeats": given.repeats,
                "searches": found,
                "machine": {
                    "cpus": os.cpu_count(),
                    "load_average": round(os.getloadavg()[0], 2),
                    "python": platform.python_version(),
                    "numpy": np.__version__,
                    "pymoo": pymoo.__version__,
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
