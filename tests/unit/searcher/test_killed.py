"""A searcher killed with SIGKILL in mid-search goes on: bit for bit, and without measuring anything twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from donna.artifacts import ArtifactStore
from donna.jobs import lifeline
from donna.rpc.channel import Remote, open_channel
from donna.v1 import common_pb2 as common
from donna.v1 import searcher_pb2 as pb
from donna.v1 import searcher_pb2_grpc
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library
from tests.unit.searcher.test_service import ACCURACY, LATENCY, MACS, spec

ROOT = Path(__file__).parents[3]


class Program:
    """`python -m services.searcher` on a state folder, no longer than pytest itself."""

    def __init__(self, state: Path, **settings: str) -> None:
        file = state / "address"
        file.unlink(missing_ok=True)
        names = {f"DONNA_SEARCHER_{name.upper()}": value for name, value in settings.items()}
        self.process = lifeline.spawn(
            ["-m", "services.searcher"],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "DONNA_SEARCHER_STATE": str(state),
                "DONNA_SEARCHER_ADDRESS_FILE": str(file),
                **names,
            },
        )
        while not file.exists():
            assert self.process.poll() is None, "the searcher did not start"
            time.sleep(0.02)
        self.channel = open_channel(file.read_text())
        self.remote = Remote(searcher_pb2_grpc.SearcherServiceStub, self.channel)

    def get(self, name: str) -> pb.Search:
        return self.remote.GetSearch(pb.GetSearchRequest(name=name)).search

    def create(self, message: pb.SearchSpec) -> str:
        return self.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def finish(self, name: str) -> pb.Search:
        watched = self.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60)
        search = [response.search for response in watched][-1]
        assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
        return search

    def end(self, number: int) -> None:
        self.channel.close()
        self.process.send_signal(number)
        self.process.wait(20)


def result(search: pb.Search) -> bytes:
    """What must be equal: everything but names, times and revisions."""
    kept = pb.Search(
        front=search.front, generations=search.generations, num_evaluations=search.num_evaluations
    )
    return kept.SerializeToString(deterministic=True)


def goes_on(search: pb.Search, generations: int) -> bool:
    """Whether a search has told of more generations than these, or has ended."""
    return len(search.generations) > generations or search.job.state == common.JOB_STATE_SUCCEEDED


# After a kill the lease of the dead has to run out, six seconds each time.
@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_searches_go_on(tmp_path: Path, fake, kills: int) -> None:
    state = tmp_path / "state"
    library = build_library((12, 11, 12, 10, 9), ArtifactStore(state / "artifacts"))
    profiler = FakeProfiler(library, pause_s=0.01, noise=0.01)
    settings = {
        "predictor": fake(FakePredictor(library)).address,
        "profilers": f"cpu={fake(profiler).address}",
    }
    predicted = spec(library, ACCURACY, MACS, generations=500, population=20, seed=4)
    measured = spec(library, ACCURACY, LATENCY, generations=10, population=12)

    program = Program(state, **settings)
    whole = program.finish(program.create(predicted))
    names = [program.create(predicted), program.create(measured)]
    told, in_the_middle, ends = [0, 0], [], (500, 10)
    for _ in range(kills):
        while not all(goes_on(program.get(name), n) for name, n in zip(names, told, strict=True)):
            time.sleep(0.005)
        told = [len(program.get(name).generations) for name in names]
        in_the_middle.append([n < end for n, end in zip(told, ends, strict=True)])
        program.end(signal.SIGKILL)
        program = Program(state, **settings)
    again, search = (program.finish(name) for name in names)
    program.end(signal.SIGTERM)
    assert program.process.returncode == 0

    assert in_the_middle[0] == [True, True]
    assert result(again) == result(whole)
    assert len(search.generations) == 10
    # A measurement in flight when the searcher died is not counted twice: its request_id is the same.
    firsts = {
        choices: count - profiler.skipped_cache[choices] for choices, count in profiler.measured.items()
    }
    assert set(firsts.values()) == {1}
    assert len(firsts) == 120 == search.num_measured["cpu"]
