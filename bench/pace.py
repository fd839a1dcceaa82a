"""Which figure of a network repeats on a machine whose pace changes. Prints JSON.

    python -m bench.pace [--networks 20] [--passes 6] [--neighbour]

In one process, networks as of bench.profile are measured in passes of random order, in each by every way of WAYS,
which differ in how a canary runs between the runs. Of each way: the deviation of a network's figure from pass to pass,
and the mean and the least Kendall tau of two passes. With a neighbour, another process computes and rests by turns of
one to ten seconds, and shares caches, memory and clock with what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.stats import kendalltau

from bench.profile import Space
from donna.artifacts import ArtifactStore
from donna.graphs import stitch
from services.profiler.canary import canary_model

WARM_UP_S = 0.03
NEIGHBOUR = """
import random, time
import numpy
draw, a = random.Random(0), numpy.ones((1500, 1500), dtype="float32")
while True:
    until = time.monotonic() + draw.uniform(1, 10)
    while time.monotonic() < until:
        a @ a
    time.sleep(draw.uniform(1, 10))
"""
Run = Callable[[], object]
"""A network, or the canary, once."""


def for_s(run: Run, seconds: float) -> np.ndarray:
    """(n,) Latencies in milliseconds of runs that take so long together, of one at least."""
    taken_ms: list[float] = []
    before = start = time.perf_counter()
    while not taken_ms or before - start < seconds:
        run()
        after = time.perf_counter()
        taken_ms.append((after - before) * 1000)
        before = after
    return np.array(taken_ms)


def median_of(seconds: float) -> Callable[[Run, Run], float]:
    """The median of runs in a row."""
    return lambda network, _canary: float(np.median(for_s(network, seconds)))


def lowest_tenth(network: Run, _canary: Run) -> float:
    """The first decile of runs in a row."""
    return float(np.percentile(for_s(network, 0.1), 10))


def around(seconds: float) -> Callable[[Run, Run], float]:
    """The median of runs in a row, over that of the canary before and after."""

    def figure(network: Run, canary: Run) -> float:
        before, runs, after = for_s(canary, 0.01), for_s(network, seconds), for_s(canary, 0.01)
        return float(np.median(runs) / np.median(np.concatenate([before, after])))

    return figure


def windows(network_s: float, canary_s: float, number: int) -> Callable[[Run, Run], float]:
    """The median of the runs, each divided by the canary's latency before and after its window."""

    def figure(network: Run, canary: Run) -> float:
        looks, divided = [np.median(for_s(canary, canary_s))], []
        for _ in range(number):
            runs = for_s(network, network_s)
            looks.append(np.median(for_s(canary, canary_s)))
            divided.append(2 * runs / (looks[-2] + looks[-1]))
        return float(np.median(np.concatenate(divided)))

    return figure


WAYS: dict[str, Callable[[Run, Run], float]] = {
    "median of 0.1 s": median_of(0.1),
    "median of 0.5 s": median_of(0.5),
    "lowest tenth of 0.1 s": lowest_tenth,
    "median of 0.1 s over the canary's before and after": around(0.1),
    "windows of 20 ms, canary 10 ms": windows(0.02, 0.01, 5),
    "windows of 10 ms, canary 3 ms": windows(0.01, 0.003, 10),
    "windows of 10 ms, canary 10 ms": windows(0.01, 0.01, 10),
    "windows of 5 ms, canary 5 ms": windows(0.005, 0.005, 20),
    "single runs by turns": windows(0.0, 0.0, 40),
}


def session(model: bytes) -> Run:
    """What runs a model once, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    found = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (told,) = found.get_inputs()
    feed = np.random.default_rng(0).uniform(-1, 1, (1, *told.shape[1:])).astype(np.float32)
    return lambda: found.run(None, {told.name: feed})


@contextmanager
def neighbour() -> Iterator[None]:
    """Another process at work, on one thread."""
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR], env=one_thread)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--image", type=int, default=128)
    parser.add_argument("--neighbour", action="store_true")
    told = parser.parse_args()
    rng = random.Random(0)  # noqa: S311 - draws networks, guards nothing
    with tempfile.TemporaryDirectory() as folder:
        space = Space(ArtifactStore(Path(folder)), told.image)
        chosen = space.spread(rng, told.networks)
        networks = [session(stitch(space.fragments(n)).SerializeToString()) for n in chosen]
    canary = session(canary_model())
    figures = {way: np.zeros((told.passes, told.networks)) for way in WAYS}
    with neighbour() if told.neighbour else nullcontext():
        for row in range(told.passes):
            for index in rng.sample(range(told.networks), told.networks):
                for way in rng.sample(list(WAYS), len(WAYS)):
                    for_s(networks[index], WARM_UP_S)
                    figures[way][row, index] = WAYS[way](networks[index], canary)
    print(json.dumps({way: repeats(found) for way, found in figures.items()}, indent=2))


def repeats(figures: np.ndarray) -> dict[str, float]:
    """How well (passes, networks) figures repeat."""
    logs = np.log(figures)
    taus = [kendalltau(one, other).statistic for one, other in itertools.combinations(figures, 2)]
    return {
        "deviation": round(float((logs - logs.mean(axis=0)).std()), 4),
        "kendall_tau_mean": round(float(np.mean(taus)), 3),
        "kendall_tau_least": round(float(np.min(taus)), 3),
    }


if __name__ == "__main__":
    main()
