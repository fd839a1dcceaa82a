"""The network between searcher and profiler breaks in every way in mid-search: the job says for what it waits, goes
on when the line is whole again, and no network is on record twice."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.line import Line
from donna.rpc.channel import Remote
from donna.v1 import common_pb2 as common
from donna.v1 import searcher_pb2 as pb
from tests.contract.import_rules import ROOT, modules
from tests.trust.everything import RPCS
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library
from tests.unit.searcher.test_service import ACCURACY, LATENCY, NUM_OPTIONS, spec

pytestmark = pytest.mark.slow

WAITING, SUCCEEDED = common.JOB_STATE_WAITING, common.JOB_STATE_SUCCEEDED
NETWORKS = 60


def until(holds: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("mode", ["cut", "slow", "mute", "deaf", "half-open"])
def test_a_search_outlives_its_network(mode: Any, artifacts: Any, fake: Any, searcher: Any) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.005, runs_s=0.05)  # the line breaks under a watch, mostly
    line = Line(fake(profiler).address)
    service = searcher(
        predictor=fake(FakePredictor(library)).address, profilers=f"cpu={line.address}", call_deadline_s=1.0
    )
    message = spec(library, ACCURACY, LATENCY, population=20, generations=3)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name
    seen: list[pb.Search] = []

    def watch() -> None:
        request = pb.WatchSearchRequest(name=name)
        seen.extend(response.search for response in service.remote.WatchSearch(request, deadline_s=120))

    watching = threading.Thread(target=watch)
    watching.start()
    until(lambda: len(profiler.measured) >= 20)
    line.become(mode)
    if mode == "slow":
        before = len(profiler.measured)
        until(lambda: len(profiler.measured) > before + 1)
    else:
        until(lambda: any(search.job.state == WAITING for search in seen))
        waits = next(search.job.waiting_for for search in seen if search.job.state == WAITING)
        assert waits.startswith("device cpu: ") and len(waits) > len("device cpu: ")
    line.become("whole")
    watching.join(120)
    assert not watching.is_alive()
    line.close()
    last = seen[-1]
    assert last.job.state == SUCCEEDED, last.job.error
    assert len(profiler.measured) == NETWORKS == last.num_measured["cpu"]
    listed = service.remote.ListEvaluations(
        pb.ListEvaluationsRequest(parent=name, page_size=1000)
    ).evaluations
    choices = [tuple(evaluation.architecture.choices) for evaluation in listed]
    assert len(choices) == len(set(choices)) == NETWORKS
    assert all(evaluation.latency_ms["cpu"] > 0 for evaluation in listed)
    # A request whose answer was lost is the same request again, so the device did not measure it again.
    first = {c: count - profiler.skipped_cache[c] for c, count in profiler.measured.items()}
    assert set(first.values()) == {1}


class EveryRpc:
    """A stub that has every rpc of the contract and notes the deadline that it is called with."""

    def __init__(self, _channel: object) -> None:
        self.deadlines: dict[str, float | None] = {}

    def __getattr__(self, rpc: str) -> Any:
        def call(request: object, *, timeout: float | None, metadata: object) -> object:
            self.deadlines[rpc] = timeout
            return request

        return call


def test_every_call_of_a_client_has_a_deadline() -> None:
    remote: Any = Remote(EveryRpc, None)  # type: ignore[arg-type]
    names = {method.name for method in RPCS.values()}
    for name in names:
        getattr(remote, name)(object())
    assert set(remote._stub.deadlines) == names
    assert all(deadline and 0 < deadline <= 24 * 3600 for deadline in remote._stub.deadlines.values())


MAY_CALL_STUBS = {
    "donna.rpc.dial": "a stream that lasts as long as the agent; keepalive notices when the line is dead",
    "donna.rpc.probe": "has a deadline of its own",
}


def test_nobody_calls_past_the_client_that_sets_deadlines() -> None:
    """Stubs are handed to Remote, and called by hand only where the table says why."""
    callers = set()
    for module, path in modules().items():
        for node in ast.walk(ast.parse(Path(path).read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name.endswith("Stub"):
                callers.add(module)
    assert callers == set(MAY_CALL_STUBS)
    assert "timeout=deadline_s" in (ROOT / "donna/rpc/probe.py").read_text()
    assert "keepalive_timeout_ms" in (ROOT / "donna/rpc/dial.py").read_text()
