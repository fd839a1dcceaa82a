"""The time of a search in predicted mode against pymoo alone with free evaluations. Prints JSON.

The search is the whole thing: the job engine with its SQLite store written after every generation, and a predictor as a
process of its own, asked over gRPC on loopback (once: for its tables). pymoo alone is its NSGA-II with its own integer
operators, and objectives that are looked up in a table. Qualities and costs of the library are drawn. `ratio` is of
wall-clock times; `ratio_cpu` is of processor times without the predictor's, which a busy machine changes less. `shares`
are of one more search, which timing slows down a little. A search is created before its time runs; `create_first_s` is
that of a library that was not read yet.

    python -m bench.search --blocks 5 10 20 --objectives 1 2 4
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
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
from donna.jobs.engine import Engine, TaskReport
from donna.jobs.placement import Threads
from donna.rpc.channel import Remote, open_channel
from donna.rpc.messages import architecture_message, artifact_message
from donna.space import Library
from donna.v1 import common_pb2, searcher_pb2
from donna.v1 import predictor_pb2 as pb
from donna.v1.predictor_pb2_grpc import PredictorServiceStub
from services.searcher import conduct, search, survey
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.evolution import Evolution
from services.searcher.libraries import Libraries
from services.searcher.loop import Loop
from services.searcher.metric import Metric
from services.searcher.predictors import Predictors
from services.searcher.profilers import Profilers
from services.searcher.servicer import SearcherServicer
from services.searcher.spec import SearchSpec
from services.searcher.standing import Standing
from services.searcher.weightless import Weightless
from services.searcher.wire import spec_message
from services.searcher.work import KIND, SearchWork, Surroundings

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


PARTS: dict[str, list[tuple[Any, str]]] = {
    "load": [(Libraries, "get")],
    "rpc": [(Predictors, "get")],
    "survey": [(survey, "cost_range"), (survey, "accuracy_range")],
    "ask": [(Evolution, "ask")],
    "prediction": [(PredictedAccuracy, "__call__")],
    "costs": [(search, "cost")],
    "tell": [(Evolution, "tell")],
    "front_and_hypervolume": [(Loop, "_follow")],
    "telling": [(Standing, "running"), (Standing, "start")],
    "state": [(Loop, "save"), (TaskReport, "save"), (TaskReport, "publish")],
    "result": [(conduct, "_result")],
}
"""The parts of a search and the functions that are timed for each. A call inside a timed call counts for the inner
part; what is left of the search's time is `other`."""


class Stopwatch:
    """Seconds by part while it is open, in whatever thread."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._inside: dict[int, list[float]] = {}

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*arguments: Any, **named: Any) -> Any:
            stack = self._inside.setdefault(threading.get_ident(), [])
            stack.append(0.0)
            started = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent = time.perf_counter() - started
                self.seconds[part] += spent - stack.pop()
                if stack:
                    stack[-1] += spent

        return timed

    def __enter__(self) -> Stopwatch:
        self._originals = [
            (owner, name, getattr(owner, name)) for those in PARTS.values() for owner, name in those
        ]
        for part, those in PARTS.items():
            for owner, name in those:
                setattr(owner, name, self._timed(part, getattr(owner, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, original in self._originals:
            setattr(owner, name, original)


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
        around = Surroundings(
            artifacts=self.artifacts,
            libraries=Libraries(self.artifacts),
            fragments=Weightless(self.artifacts),
            predictors=Predictors(channel),
            profilers=Profilers({}),
            measurement_deadline_s=60,
            measurement_attempts=1,
            retry_s=1,
        )
        store = JobStore(open_database(f"sqlite:///{folder / 'searcher.db'}"))
        work = SearchWork(around)
        self.engine = Engine(store, work, Threads(store, work, limit=1))
        self.servicer = SearcherServicer(self.engine, around)
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

    def search(
        self, num_objectives: int, population: int, generations: int, seed: int, *, by_part: bool = False
    ) -> Timed:
        """One search, timed."""
        spec = SearchSpec(
            library=self.digest,
            predictor=self.predictor.name,
            objectives=tuple(OBJECTIVES[:num_objectives]),
            population=population,
            generations=generations,
            seed=seed,
        )
        request = searcher_pb2.CreateSearchRequest(spec=spec_message(spec))
        started, cpu_started = time.perf_counter(), time.process_time()
        with Stopwatch() if by_part else nullcontext() as watch:
            name = self.servicer.CreateSearch(request, None).search.name
            create_s = time.perf_counter() - started
            while self.engine.store.active_states(KIND):
                time.sleep(0.05)
        cpu_s = time.process_time() - cpu_started
        job = self.engine.store.get(name)
        if job.result is None or job.started_at is None:
            raise SystemExit(f"the search failed: {job.error}")
        return Timed(
            create_s=create_s,
            seconds=job.cost["compute_s"],
            cpu_s=cpu_s,
            parts=watch.seconds if watch else {},
            evaluations=job.result["num_evaluations"],
        )


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One search: seconds of its creation, and from its claim to its result; processor seconds of this process for
    both, seconds by part."""

    create_s: float
    seconds: float
    cpu_s: float
    parts: dict[str, float]
    evaluations: int


def compare(
    stage: Stage, num_objectives: int, population: int, generations: int, repeats: int
) -> dict[str, Any]:
    """The fastest of some repeats of both, interleaved; then one more search, timed by part."""
    alone, alone_cpu, ours = [], [], []
    for seed in range(repeats):
        started = time.process_time()
        alone.append(pymoo_alone_s(stage.manifest, num_objectives, population, generations, seed))
        alone_cpu.append(time.process_time() - started)
        ours.append(stage.search(num_objectives, population, generations, seed))
    search_s, search_cpu_s = min(t.seconds for t in ours), min(t.cpu_s for t in ours)
    watched = stage.search(num_objectives, population, generations, seed=0, by_part=True)
    shares = {part: round(seconds / watched.seconds, 3) for part, seconds in watched.parts.items()}
    return {
        "blocks": len(stage.manifest.blocks),
        "options": max(stage.manifest.num_options),
        "objectives": num_objectives,
        "evaluations": watched.evaluations,
        "pymoo_alone_s": round(min(alone), 3),
        "create_first_s": round(ours[0].create_s, 3),
        "create_s": round(min(t.create_s for t in ours), 3),
        "search_s": round(search_s, 3),
        "ratio": round(search_s / min(alone), 2),
        "ratio_cpu": round(search_cpu_s / min(alone_cpu), 2),
        "shares": {**shares, "other": round(1 - sum(shares.values()), 3)},
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
