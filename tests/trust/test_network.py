"""The network between searcher and profiler breaks in every way in mid-search: the job says for what it waits, goes
on when the line is whole again, and no network is on record twice."""

from __future__ import annotations

import ast
import importlib
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from bench.line import Line
from donna.rpc.channel import DEADLINE_S, WATCH_DEADLINE_S, Remote
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


class Recording:
    """A channel on which nothing is sent: it notes the deadline that each rpc is called with."""

    def __init__(self) -> None:
        self.deadlines: dict[str, float | None] = {}

    def __getattr__(self, kind: str) -> Any:
        callable_ = getattr(grpc, f"{kind.title().replace('_', '')}MultiCallable")
        deadlines = self.deadlines

        def call(method: Any, request: object, *, timeout: float | None, metadata: object) -> None:
            deadlines[method.rpc] = timeout

        made = type("Method", (callable_,), {"__call__": call, "with_call": None, "future": None})

        def method(rpc: str, **_: Any) -> Any:
            found = made()
            found.rpc = rpc
            return found

        return method


def test_every_call_of_a_client_has_a_deadline() -> None:
    channel: Any = Recording()
    for rpc, method in RPCS.items():
        service = method.containing_service
        module = importlib.import_module(service.file.name.replace("/", ".").replace(".proto", "_pb2_grpc"))
        getattr(Remote(getattr(module, f"{service.name}Stub"), channel), method.name)(object())
        expected = WATCH_DEADLINE_S if method.server_streaming else DEADLINE_S
        assert channel.deadlines[rpc] == expected, rpc
    assert 0 < DEADLINE_S < WATCH_DEADLINE_S <= 24 * 3600


KINDS = {"unary_unary", "unary_stream", "stream_unary", "stream_stream"}
MAY_CALL = {
    "donna.rpc.dial": "a stream that lasts as long as the agent; keepalive notices when the line is dead",
    "donna.rpc.probe": "has a deadline of its own",
    "donna.rpc.boundary": "calls what is served, not who serves",
    "services.searcher.gateway": "passes on what is left of its caller's deadline",
}


def _calls(node: ast.AST) -> bool:
    """A stub is made by hand, or a method of a channel: by its name, or by one that is computed."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Call):
        return getattr(called.func, "id", "") == "getattr" and "channel" in ast.unparse(called.args[0])
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name.endswith("Stub") or name in KINDS


def test_nobody_calls_past_the_client_that_sets_deadlines() -> None:
    """Stubs are handed to Remote, and called by hand only where the table says why."""
    callers = {
        module
        for module, path in modules().items()
        if any(_calls(node) for node in ast.walk(ast.parse(Path(path).read_text())))
    }
    assert callers == set(MAY_CALL)
    assert "timeout=deadline_s" in (ROOT / "donna/rpc/probe.py").read_text()
    assert "timeout=timeout_s" in (ROOT / "services/searcher/gateway.py").read_text()
    assert "keepalive_timeout_ms" in (ROOT / "donna/rpc/dial.py").read_text()
