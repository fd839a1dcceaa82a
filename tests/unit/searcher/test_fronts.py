"""What is reported as a front, on devices that tables and guesses get wrong."""

from __future__ import annotations

import numpy as np
import pytest

from donna.space import Library
from donna.v1 import common_pb2 as common
from donna.v1 import searcher_pb2 as pb
from services.searcher.calibration import Plan
from services.searcher.pareto import non_dominated
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library, true_accuracy
from tests.unit.searcher.test_service import ACCURACY, LATENCY, NUM_OPTIONS, every, run, spec

ALGORITHMS = [pb.SEARCH_ALGORITHM_NSGA2, pb.SEARCH_ALGORITHM_EXACT]
MODES = [pb.LATENCY_MODE_TABLE, pb.LATENCY_MODE_TABLE_REFINED]


class Erratic(FakeProfiler):
    """A device on which the blocks of a network say next to nothing of its latency."""

    def true_ms(self, choices: tuple[int, ...]) -> float:
        return float(np.random.default_rng(choices).uniform(1.0, 2.0))


def start(searcher, fake, library: Library, profiler: FakeProfiler):
    predictor = fake(FakePredictor(library, second_order=False)).address
    return searcher(predictor=predictor, profilers=f"cpu={fake(profiler).address}")


def at_most(limit_ms: float) -> pb.Bound:
    return pb.Bound(metric=LATENCY[0], device="cpu", max=limit_ms)


def check_front(search: pb.Search, profiler: FakeProfiler, limit_ms: float = np.inf) -> None:
    """The front is that of all that was measured, whatever it was measured for."""
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    X = np.array(sorted(profiler.measured))
    latency_ms = np.array([profiler.true_ms(tuple(row)) for row in X.tolist()])
    F = np.c_[-true_accuracy(profiler.library, X, second_order=False), latency_ms]
    best = non_dominated(F, latency_ms[:, None] - limit_ms)
    assert {tuple(point.architecture.choices) for point in search.front} == set(map(tuple, X[best].tolist()))
    assert search.num_measured["cpu"] == len(profiler.measured)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("mode", MODES)
def test_the_front_is_that_of_everything_measured(artifacts, fake, searcher, algorithm, mode) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = Erratic(library)
    service = start(searcher, fake, library, profiler)
    message = spec(library, ACCURACY, LATENCY, algorithm=algorithm, latency_mode=mode, generations=3)
    search = run(service, message)
    check_front(search, profiler)
    request = pb.ListEvaluationsRequest(parent=search.name, page_size=1000)
    listed = service.remote.ListEvaluations(request).evaluations
    assert {tuple(e.architecture.choices) for e in listed if e.latency_ms} == set(profiler.measured)
    assert {e.generation for e in listed} >= {0, 1}  # 0: to calibrate the table


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("mode", MODES)
def test_a_table_that_finds_no_network_is_not_the_last_word(
    artifacts, fake, searcher, algorithm, mode
) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = Erratic(library)
    service = start(searcher, fake, library, profiler)
    fastest_ms = min(profiler.true_ms(tuple(row)) for row in every(library).tolist())
    message = spec(library, ACCURACY, LATENCY, algorithm=algorithm, latency_mode=mode, generations=3)
    message.bounds.append(at_most(0.9 * fastest_ms))
    impossible = run(service, message)
    assert impossible.job.error.reason == "NO_FEASIBLE"
    assert "nan" not in impossible.job.error.message
    assert f"{len(profiler.measured)} of them measured, meets all bounds" in impossible.job.error.message
    # Two of the networks that calibrate the table meet this one, whatever the table says of them.
    plan = Plan.of(library.cost_table("macs"), library.num_options, message.seed)
    known = np.concatenate([plan.swapped, plan.calibration, plan.holdout]).tolist()
    message.bounds[0].max = limit_ms = sorted(profiler.true_ms(tuple(row)) for row in known)[1]
    profiler.kind = "another"  # on which nothing is known
    profiler.measured.clear()
    check_front(run(service, message), profiler, limit_ms)


def test_a_device_that_runs_nothing_is_said_to(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, script=lambda choices, attempt: "UNSUPPORTED_OP")
    service = start(searcher, fake, library, profiler)
    search = run(service, spec(library, ACCURACY, LATENCY, generations=2))
    assert search.job.error.reason == "NO_FEASIBLE"
    assert search.job.error.message == (
        "none of 40 networks, 0 of them measured, meets all bounds together; "
        "they could not be measured: 40 UNSUPPORTED_OP"
    )


class Fond(FakeProfiler):
    """A device on which small options are slow: the fastest network is not the smallest by anything."""

    def true_ms(self, choices: tuple[int, ...]) -> float:
        table = self.library.cost_table("macs")
        ranks = [int((table[n] < table[n, m]).sum()) for n, m in enumerate(choices)]
        return 1.0 + 0.1 * sum(abs(rank - 1) for rank in ranks)


def test_a_bound_that_only_the_smallest_networks_break_is_searched_for(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = Fond(library)
    service = start(searcher, fake, library, profiler)
    message = spec(library, ACCURACY, LATENCY, generations=15, bounds=[at_most(1.15)])
    search = run(service, message)
    check_front(search, profiler, 1.15)
    (row,) = [row for row in search.feasibility.rows if row.device == "cpu"]
    assert row.feasible


def test_a_limit_that_the_smallest_networks_use_up(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    service = start(searcher, fake, library, profiler)
    message = spec(library, ACCURACY, LATENCY, bounds=[at_most(100.0)], max_measurements=2)
    check_front(run(service, message), profiler)
    assert len(profiler.measured) == 2


def test_a_device_that_changed_is_measured_again(artifacts, fake, searcher) -> None:
    """Stopped, and started again after an update of the device: what is reported is measured on it as it is now."""
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.002)
    addresses = {
        "predictor": fake(FakePredictor(library, second_order=False)).address,
        "profilers": f"cpu={fake(profiler).address}",
    }
    service = searcher(**addresses)
    request = pb.CreateSearchRequest(spec=spec(library, ACCURACY, LATENCY, generations=6))
    name = service.remote.CreateSearch(request).search.name
    for response in service.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60):
        if len(response.search.generations) >= 2:
            break
    service.stop()
    before = set(profiler.measured)
    profiler.measured.clear()
    profiler.kind, profiler.factor = "cpu-after-an-update", 0.5
    service = searcher(**addresses)
    *_, last = service.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60)
    assert last.search.job.state == common.JOB_STATE_SUCCEEDED, last.search.job.error
    assert len(last.search.generations) == 6
    for point in last.search.front:
        assert point.latency_ms["cpu"] == pytest.approx(profiler.true_ms(tuple(point.architecture.choices)))
    check_front(last.search, profiler)  # of what was measured since
    assert before & set(profiler.measured)
