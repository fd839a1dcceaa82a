"""How good the profiler's figures are and what they cost. Prints JSON; needs a quiet machine.

    python bench/profile.py [--networks 20] [--candidates 200] [--quick]

One run on one machine against a real agent on loopback:
  repeatability   networks measured twice in random order: Kendall tau, relative differences
  accuracy        medians against a plain ONNX Runtime loop in a process of its own, right after
  overhead        wall time per measurement beyond the timed runs
  stitching       time to stitch and serialise a network from fragments
  transfer        bytes per candidate and share of time in transfer for a search; uploads skipped the second time
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import Message
from scipy.stats import kendalltau

from bench import blocks
from donna.graphs import fill, stitch, strip
from donna.jobs import lifeline
from donna.rpc.channel import Remote, open_channel
from donna.v1 import common_pb2, profiler_pb2_grpc
from donna.v1 import profiler_pb2 as pb

ROOT = Path(__file__).parents[1]
PLAIN_LOOP = """
import sys, time, statistics
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
x = {"x": numpy.random.default_rng(0).uniform(-1, 1, (1, 3, 32, 32)).astype("float32")}
for _ in range(20):
    session.run(None, x)
samples = []
while len(samples) < 100 or sum(samples) < 0.2:
    start = time.perf_counter()
    session.run(None, x)
    samples.append(time.perf_counter() - start)
print(statistics.median(samples) * 1000)
"""


@contextmanager
def agent(folder: Path) -> Iterator[Remote]:
    """A profiler of its own."""
    told = {"STATE": folder / "state", "ADDRESS_FILE": folder / "address", "LOG_LEVEL": "WARNING"}
    env = os.environ | {f"DONNA_PROFILER_{name}": str(value) for name, value in told.items()}
    process = lifeline.spawn(["-m", "services.profiler"], env=env | {"PYTHONPATH": str(ROOT)})
    try:
        while not (folder / "address").exists():
            if process.poll() is not None:
                raise SystemExit("the profiler did not start")
            time.sleep(0.05)
        with open_channel((folder / "address").read_text()) as channel:
            yield Remote(profiler_pb2_grpc.ProfilerServiceStub, channel)
    finally:
        lifeline.stop(process)


class Client:
    """Counts bytes and time of what goes over the wire."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.sent_bytes = 0
        self.transfer_s = 0.0

    def _counted(self, message: Message) -> Any:
        self.sent_bytes += message.ByteSize()
        return message

    def send(self, models: dict[str, bytes]) -> int:
        """Uploads what the agent lacks; returns how many."""
        start = time.perf_counter()
        asked = self._counted(pb.FindMissingModelsRequest(sha256=list(models)))
        missing = self._remote.FindMissingModels(asked).missing_sha256
        for sha256 in missing:
            data = models[sha256]
            chunk = common_pb2.Chunk(sha256=sha256, total_bytes=len(data), data=data)
            self._remote.UploadModel(iter([self._counted(pb.UploadModelRequest(chunk=chunk))]))
        self.transfer_s += time.perf_counter() - start
        return len(missing)

    def create(self, hashes: list[str], settings: common_pb2.MeasurementSettings) -> str:
        """Asks for a measurement of stitched fragments."""
        start = time.perf_counter()
        network = pb.MeasuredNetwork(fragments=pb.FragmentList(sha256=hashes))
        request = pb.CreateMeasurementRequest(network=network, settings=settings, skip_cache=True)
        name: str = self._remote.CreateMeasurement(self._counted(request)).measurement.name
        self.transfer_s += time.perf_counter() - start
        return name

    def result(self, name: str) -> pb.MeasurementResult:
        """Waits for the figures."""
        for response in self._remote.WatchMeasurement(pb.WatchMeasurementRequest(name=name)):
            measurement = response.measurement
        if measurement.job.state != common_pb2.JOB_STATE_SUCCEEDED:
            raise SystemExit(f"a measurement failed: {measurement.job.error.message}")
        return measurement.result


class Space:
    """The fragments of the benchmark's search space, without weights, by hash."""

    def __init__(self) -> None:
        parts = [
            [blocks.stem()],
            *(list(blocks.options(n)) for n in range(len(blocks.STAGES))),
            [blocks.head()],
        ]
        bare = [[strip(part).SerializeToString(deterministic=True) for part in options] for options in parts]
        self.hashes = [[hashlib.sha256(data).hexdigest() for data in options] for options in bare]
        self.models = {
            sha256: data
            for hashes, options in zip(self.hashes, bare, strict=True)
            for sha256, data in zip(hashes, options, strict=True)
        }

    def draw(self, rng: random.Random) -> list[str]:
        """The fragments of a random network."""
        return [rng.choice(options) for options in self.hashes]

    def models_of(self, networks: list[list[str]]) -> dict[str, bytes]:
        """The fragments that these networks consist of."""
        return {sha256: self.models[sha256] for network in networks for sha256 in network}

    def whole(self, network: list[str]) -> bytes:
        """The network as the agent runs it."""
        return fill(stitch([self.models[sha256] for sha256 in network])).SerializeToString()


def repeatability(
    client: Client, networks: list[list[str]], settings: Any, rng: random.Random
) -> dict[str, Any]:
    rounds: list[list[pb.MeasurementResult]] = []
    start, timed_ms = time.perf_counter(), 0.0
    for _ in range(2):
        order = rng.sample(range(len(networks)), len(networks))
        names = {index: client.create(networks[index], settings) for index in order}
        rounds.append([client.result(names[index]) for index in range(len(networks))])
        timed_ms += sum(sum(result.samples_ms) for result in rounds[-1])
    wall_ms = (time.perf_counter() - start) * 1000
    medians = np.array([[result.median_ms for result in results] for results in rounds])
    difference = np.abs(medians[1] / medians[0] - 1)
    return {
        "networks": len(networks),
        "latency_ms": {"smallest": medians.min(), "largest": medians.max()},
        "kendall_tau": kendalltau(medians[0], medians[1]).statistic,
        "relative_difference": {"median": float(np.median(difference)), "largest": difference.max()},
        "unstable": sum(result.unstable for results in rounds for result in results),
        "wall_per_measurement_ms": wall_ms / medians.size,
        "overhead_per_measurement_ms": (wall_ms - timed_ms) / medians.size,
    }


def accuracy(
    client: Client, space: Space, networks: list[list[str]], settings: Any, folder: Path
) -> dict[str, Any]:
    ratios = []
    for network in networks:
        path = folder / "network.onnx"
        path.write_bytes(space.whole(network))
        # On both sides of the agent's measurement: what drifts meanwhile does not count for either.
        before = plain(path)
        ours = client.result(client.create(network, settings)).median_ms
        ratios.append(ours / ((before + plain(path)) / 2))
    errors = np.abs(np.array(ratios) - 1)
    return {
        "median_ratio": float(np.median(ratios)),
        "relative_error": {"median": float(np.median(errors)), "largest": float(errors.max())},
        "within_3_percent": int((errors <= 0.03).sum()),
        "networks": len(networks),
    }


def plain(path: Path) -> float:
    ran = subprocess.run(
        [sys.executable, "-c", PLAIN_LOOP, str(path)], capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


def stitching(space: Space, networks: list[list[str]]) -> dict[str, Any]:
    full = [[fill(stitch([space.models[h]])).SerializeToString() for h in network] for network in networks]
    taken_ms = []
    for fragments in full:
        start = time.perf_counter()
        stitch(fragments).SerializeToString()
        taken_ms.append((time.perf_counter() - start) * 1000)
    return {
        "fragments": len(networks[0]),
        "median_ms": float(np.median(taken_ms)),
        "largest_ms": max(taken_ms),
    }


def transfer(
    client: Client, space: Space, candidates: int, settings: Any, rng: random.Random
) -> dict[str, Any]:
    networks = [space.draw(rng) for _ in range(candidates)]
    client.sent_bytes, client.transfer_s = 0, 0.0
    start = time.perf_counter()
    uploaded, largest = 0, 0
    names = []
    for network in networks:
        before = client.sent_bytes
        fresh = client.send({sha256: space.models[sha256] for sha256 in network})
        names.append(client.create(network, settings))
        uploaded += fresh
        if not fresh:
            largest = max(largest, client.sent_bytes - before)
    for name in names:
        client.result(name)
    wall_s = time.perf_counter() - start
    total_bytes, transfer_s = client.sent_bytes, client.transfer_s
    whole_bytes = int(np.mean([len(space.whole(network)) for network in networks[:20]]))
    return {
        "candidates": candidates,
        "fragments_uploaded": uploaded,
        "bytes_per_candidate": total_bytes / candidates,
        "largest_bytes_of_a_candidate_with_known_fragments": largest,
        "bytes_of_a_whole_network": whole_bytes,
        "wall_s": wall_s,
        "share_of_time_in_transfer": transfer_s / wall_s,
        "uploads_when_all_is_known": client.send(space.models_of(networks)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="few runs per measurement: checks the benchmark itself"
    )
    told = parser.parse_args()
    rng, space = random.Random(told.seed), Space()  # noqa: S311 - draws networks, guards nothing
    settings = common_pb2.MeasurementSettings()
    brief = common_pb2.MeasurementSettings(min_time_ms=30, relative_ci_width=0.05, max_repeats=1)
    if told.quick:
        settings.CopyFrom(brief)
    networks = [space.draw(rng) for _ in range(told.networks)]
    with tempfile.TemporaryDirectory() as name, agent(Path(name)) as remote:
        client = Client(remote)
        load = os.getloadavg()[0]
        device = remote.ListDevices(pb.ListDevicesRequest()).devices[0]
        searched = transfer(client, space, told.candidates, brief, rng)
        client.send(space.models)
        report = {
            "machine": {"cpu": platform.processor() or device.fingerprint["cpu"], **device.fingerprint},
            "load_1m_before": load,
            "repeatability": repeatability(client, networks, settings, rng),
            "accuracy": accuracy(client, space, networks, settings, Path(name)),
            "stitching": stitching(space, networks),
            "transfer": searched,
        }
        device = remote.ListDevices(pb.ListDevicesRequest()).devices[0]
        report["canary_drift"] = device.canary_drift
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
