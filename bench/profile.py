"""How good the profiler's figures are and what they cost. Prints JSON; needs a quiet machine.

    python -m bench.profile [--networks 20] [--candidates 200] [--image 128] [--quick]

A real agent on loopback, asked as a searcher asks it (fragments without weights, through services.searcher):
  repeatability   networks measured twice, each time in a random order: Kendall tau, relative differences, of the
                  latencies that searches compare (`steady`) and of the raw medians
  accuracy        raw medians against a plain ONNX Runtime loop in a process of its own, in turn with the agent, until
                  the mean of their ratio is known to ERROR
  overhead        wall time of a measurement beyond its timed runs
  stitching       time to stitch and serialise a network from fragments with their weights
  start           until the agent serves, and its memory before a measurement
  transfer        bytes on the wire, both ways, and share of time in transfer for a search; uploads skipped
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy.stats import kendalltau

from bench import blocks
from bench.line import Line
from donna.artifacts import ArtifactStore
from donna.graphs import fill, stitch
from donna.jobs import lifeline
from donna.rpc.channel import Peer, Remote, open_channel
from donna.v1 import profiler_pb2 as pb
from donna.v1 import profiler_pb2_grpc
from services.searcher.bench import Bench
from services.searcher.profilers import Profilers
from services.searcher.weightless import Weightless

ROOT = Path(__file__).parents[1]
FEWEST_ROUNDS, MOST_ROUNDS, ERROR = 3, 40, 0.01
"""Of the accuracy: rounds end when the standard error of the mean ratio is below ERROR. Where two medians of one
network differ by 5 %, a few of them do not tell whether the agent's are right to 3 %."""
PLAIN_LOOP = """
import sys, time, statistics
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
shape = (1, *session.get_inputs()[0].shape[1:])
x = {"x": numpy.random.default_rng(0).uniform(-1, 1, shape).astype("float32")}
for _ in sys.stdin:
    for _ in range(10):
        session.run(None, x)
    samples = []
    while len(samples) < 30 or sum(samples) < 0.1:
        start = time.perf_counter()
        session.run(None, x)
        samples.append(time.perf_counter() - start)
    print(statistics.median(samples) * 1000, flush=True)
"""


@contextmanager
def agent(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The address of a profiler of its own, and what its start took."""
    told = {"STATE": folder / "state", "ADDRESS_FILE": folder / "address", "LOG_LEVEL": "WARNING"}
    env = os.environ | {f"DONNA_PROFILER_{name}": str(value) for name, value in told.items()}
    begun = time.perf_counter()
    process = lifeline.spawn(["-m", "services.profiler"], env=env | {"PYTHONPATH": str(ROOT)})
    try:
        while not (folder / "address").exists():
            if process.poll() is not None:
                raise SystemExit("the profiler did not start")
            time.sleep(0.01)
        serves_s, child = time.perf_counter() - begun, psutil.Process(process.pid)
        start = {
            "serves_after_s": serves_s,
            "processor_s": sum(child.cpu_times()[:2]),
            "resident_mb": child.memory_info().rss / 2**20,
        }
        yield (folder / "address").read_text(), start
    finally:
        lifeline.stop(process)


class Space:
    """The fragments of the benchmark's search space in an artifact store, by hash."""

    def __init__(self, artifacts: ArtifactStore, image: int) -> None:
        self._artifacts = artifacts
        parts = [
            [blocks.stem(image)],
            *(list(blocks.options(n, image)) for n in range(len(blocks.STAGES))),
            [blocks.head(image)],
        ]
        self.macs: dict[str, int] = {}
        self._hashes = [[self._put(part) for part in options] for options in parts]

    def _put(self, part: Any) -> str:
        sha256 = self._artifacts.put_bytes(part.SerializeToString()).sha256
        self.macs[sha256] = blocks.macs(part)
        return sha256

    def draw(self, rng: random.Random) -> list[str]:
        """The fragments of a random network."""
        return [rng.choice(options) for options in self._hashes]

    def spread(self, rng: random.Random, count: int) -> list[list[str]]:
        """`count` of ten times as many random networks, evenly from the smallest to the largest."""
        drawn = [self.draw(rng) for _ in range(10 * count)]
        drawn.sort(key=lambda network: sum(self.macs[sha256] for sha256 in network))
        return [drawn[i] for i in np.linspace(0, len(drawn) - 1, count).astype(int)]

    def fragments(self, network: Sequence[str]) -> list[bytes]:
        """The fragments of a network, with their weights."""
        return [self._artifacts.get_bytes(sha256) for sha256 in network]


class Asker:
    """Measures as a searcher does, and counts the time of calls that move something (not those that wait)."""

    def __init__(self, address: str, artifacts: ArtifactStore, settings: dict[str, Any]) -> None:
        self.transfer_s = 0.0
        self.calls: list[str] = []
        profilers = Profilers({"local": Peer(address=address)})
        self._fragments = Weightless(artifacts)
        self._bench = Bench(
            site=profilers.sites("local")[0],
            remote=lambda: self,  # type: ignore[arg-type, return-value]
            fragments=self._fragments,
            settings=settings,
            deadline_s=300.0,
            stopping=threading.Event(),
        )
        self._remote = profilers.remote("local")
        self._asked = 0

    def __getattr__(self, rpc: str) -> Any:
        method = getattr(self._remote, rpc)
        if rpc == "WatchMeasurement":
            return method

        def timed(request: Any, **more: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(request, **more)
            finally:
                self.transfer_s += time.perf_counter() - start
                self.calls.append(rpc)

        return timed

    def bare(self, network: Sequence[str]) -> list[bytes]:
        """The fragments of a network, as they travel."""
        return [self._fragments.fragment(sha256).data for sha256 in network]

    def measure(self, network: Sequence[str]) -> float:
        """The latency of a network in milliseconds, past all caches."""
        self._asked += 1
        record = self._bench.measure(network, request_id=f"bench-{id(self)}-{self._asked}", skip_cache=True)
        assert record.latency_ms is not None
        return record.latency_ms


def newest(remote: Remote) -> pb.MeasurementResult:
    """The figures of the latest measurement, raw samples included."""
    (listed,) = remote.ListMeasurements(pb.ListMeasurementsRequest(page_size=1)).measurements
    return remote.GetMeasurement(pb.GetMeasurementRequest(name=listed.name)).measurement.result  # type: ignore[no-any-return]


def repeatability(
    asker: Asker, remote: Remote, networks: list[list[str]], rng: random.Random
) -> dict[str, Any]:
    steady, medians = np.zeros((2, 2, len(networks)))
    overheads_ms, results = [], []
    for again in range(2):
        for index in rng.sample(range(len(networks)), len(networks)):
            start = time.perf_counter()
            steady[again, index] = asker.measure(networks[index])
            wall_ms = (time.perf_counter() - start) * 1000
            result = newest(remote)
            medians[again, index] = result.median_ms
            results.append(result)
            if result.attempts == 1 and not result.preempted_runs:  # of others not all runs are told
                overheads_ms.append(wall_ms - sum(result.samples_ms))
    return {
        "networks": len(networks),
        "latency_ms": {"smallest": steady.min(), "largest": steady.max()},
        "steady": agreement(*steady),
        "raw_medians": agreement(*medians),
        "runs_per_measurement": statistics.median(len(result.samples_ms) for result in results),
        "preempted_runs_per_measurement": statistics.median(result.preempted_runs for result in results),
        "repeated": sum(result.attempts > 1 for result in results),
        "unstable": sum(result.unstable for result in results),
        "overhead_ms": {
            "median": float(np.median(overheads_ms or [np.nan])),
            "p90": float(np.percentile(overheads_ms or [np.nan], 90)),
            "of_which_loading": statistics.median(result.load_ms for result in results),
            "of_which_warm_up": statistics.median(10 * result.median_ms for result in results),
        },
    }


def agreement(first_ms: np.ndarray, second_ms: np.ndarray) -> dict[str, Any]:
    """How far two measurements of the same networks agree, (A,) arrays."""
    difference = np.abs(second_ms / first_ms - 1)
    return {
        "kendall_tau": kendalltau(first_ms, second_ms).statistic,
        "relative_difference": {"median": float(np.median(difference)), "largest": difference.max()},
    }


def accuracy(asker: Asker, remote: Remote, networks: list[list[str]], folder: Path) -> dict[str, Any]:
    ratios, rounds = [], []
    for network in networks:
        path = folder / "network.onnx"
        path.write_bytes(fill(stitch(asker.bare(network))).SerializeToString())
        logs: list[float] = []
        with plain_loop(path) as plain_ms:
            # In turn, the loop first and last: what drifts meanwhile does not count for either.
            before_ms = plain_ms()
            while not known(logs):
                asker.measure(network)
                after_ms = plain_ms()
                logs.append(math.log(newest(remote).median_ms * 2 / (before_ms + after_ms)))
                before_ms = after_ms
        ratios.append(math.exp(statistics.mean(logs)))
        rounds.append(len(logs))
    errors = np.abs(np.array(ratios) - 1)
    return {
        "networks": len(networks),
        "rounds": {"median": statistics.median(rounds), "most": max(rounds)},
        "median_ratio": float(np.median(ratios)),
        "relative_error": {"median": float(np.median(errors)), "largest": float(errors.max())},
        "within_3_percent": int((errors <= 0.03).sum()),
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def known(logs: Sequence[float]) -> bool:
    """Whether the mean of these logarithms of ratios is known well enough, or never will be."""
    if len(logs) < FEWEST_ROUNDS:
        return False
    return len(logs) >= MOST_ROUNDS or statistics.stdev(logs) / math.sqrt(len(logs)) <= ERROR


@contextmanager
def plain_loop(path: Path) -> Iterator[Callable[[], float]]:
    """What measures a model by a plain loop, in one process: its median in milliseconds, anew with each call."""
    command = [sys.executable, "-c", PLAIN_LOOP, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        asking, answers = process.stdin, process.stdout

        def median_ms() -> float:
            asking.write("\n")
            asking.flush()
            return float(answers.readline())

        yield median_ms
        asking.close()


def stitching(space: Space, networks: list[list[str]]) -> dict[str, Any]:
    taken_ms = []
    for network in networks:
        fragments = space.fragments(network)
        start = time.perf_counter()
        stitch(fragments).SerializeToString()
        taken_ms.append((time.perf_counter() - start) * 1000)
    return {
        "fragments": len(networks[0]),
        "median_ms": float(np.median(taken_ms)),
        "largest_ms": max(taken_ms),
    }


def transfer(line: Line, asker: Asker, space: Space, candidates: int, rng: random.Random) -> dict[str, Any]:
    networks = [space.draw(rng) for _ in range(candidates)]
    line.carried_bytes, asker.transfer_s = 0, 0.0
    seen: set[str] = set()
    known: list[int] = []
    start = time.perf_counter()
    for network in networks:
        before = line.carried_bytes
        asker.measure(network)
        if seen.issuperset(network):
            known.append(line.carried_bytes - before)
        seen |= set(network)
    wall_s, total_bytes, transfer_s = time.perf_counter() - start, line.carried_bytes, asker.transfer_s
    uploads = asker.calls.count("UploadModel")
    return {
        "candidates": candidates,
        "fragments_uploaded": uploads,
        "bytes_per_candidate": total_bytes / candidates,
        "bytes_of_a_candidate_with_known_fragments": {
            "median": statistics.median(known or [0]),
            "largest": max(known, default=0),
        },
        "bytes_of_a_fragment_as_it_travels": statistics.mean(
            len(data) for network in networks for data in asker.bare(network)
        ),
        "bytes_of_a_whole_network": statistics.mean(
            sum(map(len, space.fragments(network))) for network in networks
        ),
        "wall_s": wall_s,
        "share_of_time_in_transfer": transfer_s / wall_s,
    }


def skipped(
    address: str, artifacts: ArtifactStore, settings: dict[str, Any], networks: list[list[str]]
) -> int:
    """Uploads by another searcher, which does not know what the agent has."""
    newcomer = Asker(address, artifacts, settings)
    for network in networks[:3]:
        newcomer.measure(network)
    return newcomer.calls.count("UploadModel")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument(
        "--image", type=int, default=128, help="width of an input; latency grows with its square"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="few runs per measurement: checks the benchmark itself"
    )
    told = parser.parse_args()
    rng = random.Random(told.seed)  # noqa: S311 - draws networks, guards nothing
    settings = {"min_time_ms": 10.0, "relative_ci_width": 0.2, "max_repeats": 1} if told.quick else {}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, agent(Path(name)) as (address, start), Line(address) as line:
        artifacts = ArtifactStore(Path(name) / "artifacts")
        space = Space(artifacts, told.image)
        networks = space.spread(rng, told.networks)
        asker = Asker(line.address, artifacts, settings)
        with open_channel(address) as channel:
            remote = Remote(profiler_pb2_grpc.ProfilerServiceStub, channel)
            report = {
                "machine": dict(remote.ListDevices(pb.ListDevicesRequest()).devices[0].fingerprint),
                "python": platform.python_version(),
                "load_1m_before": load,
                "image": told.image,
                "start": start,
                "transfer": transfer(line, asker, space, told.candidates, rng),
                "repeatability": repeatability(asker, remote, networks, rng),
                "accuracy": accuracy(asker, remote, networks, Path(name)),
                "stitching": stitching(space, networks),
            }
            report["transfer"]["uploads_when_all_is_known"] = skipped(address, artifacts, settings, networks)
            report["canary_drift"] = remote.ListDevices(pb.ListDevicesRequest()).devices[0].canary_drift
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
