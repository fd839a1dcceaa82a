"""A whole search over a device that has only dialled out, on the worst of days."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.line import Line
from donna.rpc.channel import Remote, open_channel
from donna.v1 import common_pb2 as common
from donna.v1 import profiler_pb2, profiler_pb2_grpc
from donna.v1 import searcher_pb2 as pb
from tests.unit.profiler import agent
from tests.unit.searcher.fakes import FakePredictor
from tests.unit.searcher.libraries import build_library
from tests.unit.searcher.test_service import ACCURACY, NUM_OPTIONS, spec

ON_LAB = (common.METRIC_LATENCY_MS, "lab")
# One run is never repeated; the warm-up makes a search last long enough to be disturbed.
ONE_RUN = common.MeasurementSettings(warmup_runs=8000, min_runs=1, max_runs=1)


def eventually(holds, seconds: float = 250.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Lab:
    """An agent behind a line to the searcher's hub: nothing else leads to it, but for this test's own look."""

    def __init__(self, folder, line: Line) -> None:
        self.folder, self._line = folder, line

    @contextmanager
    def running(self) -> Iterator[Callable[[], list[profiler_pb2.Measurement]]]:
        """The agent, which may be started again with the same state; gives all measurements of its own record, one
        for each request."""
        told = {"HUB": self._line.address, "HUB_AGENT": "lab", "CANARY_EVERY": "0"}
        request = profiler_pb2.ListMeasurementsRequest(page_size=1000)
        with agent.service("profiler", self.folder, **told) as address, open_channel(address) as channel:
            remote = Remote(profiler_pb2_grpc.ProfilerServiceStub, channel)
            yield lambda: list(remote.ListMeasurements(request).measurements)

    def pauses_s(self) -> list[float]:
        """How long the agent waited before it dialled again."""
        return [float(s) for s in re.findall(r"again in ([\d.]+) s", (self.folder / "log").read_text())]


@pytest.fixture
def line():
    with Line("127.0.0.1:1") as made:
        yield made


def begin(service, library) -> str:
    """Starts a search as soon as the agent has attached itself; returns its name."""

    def attached():
        found = service.remote.ListSearchDevices(pb.ListSearchDevicesRequest()).search_devices
        return [device.name for device in found if device.reachable] == ["lab"]

    eventually(attached)
    message = spec(library, ACCURACY, ON_LAB, generations=2, measurement=ONE_RUN)
    return service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name


def get(service, name: str) -> pb.Search:
    return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search


def state_of(service, name: str) -> int:
    """Of a search that is not to end yet."""
    search = get(service, name)
    assert search.job.state <= common.JOB_STATE_WAITING, search
    return search.job.state


def check_the_record(search: pb.Search, measured: list[profiler_pb2.Measurement]) -> None:
    """Nothing is lost, and nothing done twice: what the agent did is what the search counted."""
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    # A searcher that stops cancels what it waits for, and asks again when it is back.
    measured = [m for m in measured if m.job.state != common.JOB_STATE_CANCELLED]
    assert {m.job.state for m in measured} == {common.JOB_STATE_SUCCEEDED}
    assert search.job.cost.measurements == len(measured)
    networks = Counter(tuple(m.network.fragments.sha256) for m in measured)
    assert len(networks) == search.num_measured["lab"] == search.num_evaluations == 40
    assert max(networks.values()) <= 2  # near-duplicates of the front are measured once more, on purpose


@pytest.mark.slow
def test_a_search_through_cuts_and_deaths(artifacts, fake, searcher, line, tmp_path) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    predictor = fake(FakePredictor(library)).address
    service = searcher(predictor=predictor)
    line.target = service.address
    lab = Lab(tmp_path / "agent", line)
    with lab.running() as measured:
        name = begin(service, library)
        eventually(lambda: len(measured()) >= 3)
        before = len(lab.pauses_s())
        line.become("cut")
        eventually(lambda: state_of(service, name) == common.JOB_STATE_WAITING)
        assert get(service, name).job.waiting_for.startswith("device lab: ")
        eventually(lambda: len(lab.pauses_s()) >= before + 2)
        line.become("whole")
        eventually(lambda: state_of(service, name) == common.JOB_STATE_RUNNING)
        done = len(measured())
        eventually(lambda: len(measured()) >= done + 3)
    eventually(lambda: state_of(service, name) == common.JOB_STATE_WAITING)  # the agent is gone
    with lab.running() as measured:
        done = len(measured())
        eventually(lambda: len(measured()) >= done + 3)
        service.stop()
        service = searcher(predictor=predictor)
        line.become("cut")  # what the agent has left of the old one
        line.target = service.address
        line.become("whole")
        eventually(lambda: get(service, name).job.state > common.JOB_STATE_WAITING)
        check_the_record(get(service, name), measured())
    first, second = lab.pauses_s()[before : before + 2]
    assert first < second  # shaken by less than they grow
