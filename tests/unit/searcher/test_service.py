"""The searcher over gRPC: fronts, refusals, resources."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from donna.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from donna.graphs import is_weightless
from donna.v1 import common_pb2 as common
from donna.v1 import searcher_pb2 as pb
from services.searcher.pareto import hypervolume, non_dominated
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library, true_accuracy, true_latency_ms

NUM_OPTIONS = (6, 5, 6, 4)


def spec(library, *objectives: tuple[int, str], **fields) -> pb.SearchSpec:
    fields.setdefault("population", 20)
    fields.setdefault("generations", 8)
    return pb.SearchSpec(
        library=common.Artifact(sha256=library.digest),
        predictor="predictors/p1",
        objectives=[pb.Objective(metric=metric, device=device) for metric, device in objectives],
        **fields,
    )


def run(searcher, message: pb.SearchSpec, request_id: str = "") -> pb.Search:
    created = searcher.remote.CreateSearch(pb.CreateSearchRequest(spec=message, request_id=request_id)).search
    watched = [
        r.search for r in searcher.remote.WatchSearch(pb.WatchSearchRequest(name=created.name), deadline_s=60)
    ]
    return watched[-1]


def every(library) -> np.ndarray:
    return np.indices(library.num_options).reshape(len(library.num_options), -1).T.astype(np.int64)


ACCURACY, LATENCY, MACS = (
    (common.METRIC_ACCURACY, ""),
    (common.METRIC_LATENCY_MS, "cpu"),
    (common.METRIC_MACS, ""),
)


def test_predicted_front_is_close_to_the_exhaustive_one(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library)).address)
    search = run(service, spec(library, ACCURACY, MACS, generations=10, population=40))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    X = every(library)
    F = np.c_[-true_accuracy(library, X), library.costs(X, "macs")]
    worst, ideal = F.max(axis=0), F.min(axis=0)
    found = np.array([[-p.predicted_accuracy, p.macs] for p in search.front])
    assert non_dominated(found).tolist() == list(range(len(found)))
    assert found[:, 1].tolist() == sorted(found[:, 1])
    share = hypervolume(found, worst, ideal) / hypervolume(F[non_dominated(F)], worst, ideal)
    assert share >= 0.99
    # The last generation's hypervolume is in units of the feasibility table, which is exact here.
    assert search.generations[-1].hypervolume == pytest.approx(hypervolume(found, worst, ideal), rel=1e-5)
    volumes = [g.hypervolume for g in search.generations]
    assert volumes == sorted(volumes)
    assert [g.generation for g in search.generations] == list(range(1, 11))
    assert search.num_evaluations == 400
    point = search.front[0]
    assert point.accuracy_low == pytest.approx(point.predicted_accuracy - 0.01, abs=1e-6)
    assert point.parameters == library.costs(np.array([point.architecture.choices]), "parameters")[0]
    rows = {row.metric: row for row in search.feasibility.rows}
    assert rows[common.METRIC_MACS].smallest == F[:, 1].min()
    assert rows[common.METRIC_ACCURACY].largest == pytest.approx(-F[:, 0].min(), abs=1e-6)


def test_measured_front_measures_each_network_once_and_sends_each_fragment_once(
    artifacts, fake, searcher
) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    limit = float(np.quantile(true_latency_ms(library, every(library)), 0.6))
    service = searcher(
        predictor=fake(FakePredictor(library)).address, profilers=f"cpu={fake(profiler).address}"
    )
    search = run(
        service,
        spec(library, ACCURACY, LATENCY, bounds=[pb.Bound(metric=LATENCY[0], device="cpu", max=limit)]),
    )
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    first = {choices: count - profiler.skipped_cache[choices] for choices, count in profiler.measured.items()}
    assert set(first.values()) == {1}
    assert set(profiler.uploads.values()) == {1}
    assert all(is_weightless(fragment) for fragment in profiler.models.values())
    assert profiler.most_at_once == 1
    assert search.num_measured["cpu"] == len(first)
    assert search.job.cost.measurements == sum(profiler.measured.values())
    for point in search.front:
        X = np.array([point.architecture.choices])
        assert point.latency_ms["cpu"] == pytest.approx(true_latency_ms(library, X)[0])
        assert point.latency_ms["cpu"] <= limit
        assert len(point.medians_ms["cpu"].values) == profiler.measured[tuple(point.architecture.choices)]
    assert [p.latency_ms["cpu"] for p in search.front] == sorted(p.latency_ms["cpu"] for p in search.front)
    again = run(service, spec(library, ACCURACY, LATENCY, seed=1))
    assert again.job.cost.measurements_reused > 0
    first = {choices: count - profiler.skipped_cache[choices] for choices, count in profiler.measured.items()}
    assert set(first.values()) == {1}


def test_evaluations_are_listed_page_by_page(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library)).address)
    search = run(service, spec(library, ACCURACY, MACS, bounds=[pb.Bound(metric=MACS[0], max=1500)]))
    listed, token = [], ""
    while True:
        page = service.remote.ListEvaluations(
            pb.ListEvaluationsRequest(parent=search.name, page_size=33, page_token=token)
        )
        listed += page.evaluations
        assert len(page.evaluations) <= 33
        if not (token := page.next_page_token):
            break
    assert [e.index for e in listed] == list(range(160))
    assert [e.generation for e in listed] == [g for g in range(1, 9) for _ in range(20)]
    X = np.array([e.architecture.choices for e in listed], dtype=np.int64)
    assert [e.feasible for e in listed] == (library.costs(X, "macs") <= 1500).tolist()
    assert [e.predicted_accuracy for e in listed] == pytest.approx(true_accuracy(library, X), abs=1e-6)
    with pytest.raises(InvalidArgument, match="page_token"):
        service.remote.ListEvaluations(pb.ListEvaluationsRequest(parent=search.name, page_token="x"))


def test_exact_front_equals_the_exhaustive_one(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library, second_order=False)).address)
    exact = run(service, spec(library, ACCURACY, MACS, algorithm=pb.SEARCH_ALGORITHM_EXACT))
    assert exact.job.state == common.JOB_STATE_SUCCEEDED, exact.job.error
    X = every(library)
    F = np.c_[-true_accuracy(library, X, second_order=False).astype(np.float32), library.costs(X, "macs")]
    expected = np.unique(F[non_dominated(F)], axis=0)
    found = np.array([[-p.predicted_accuracy, p.macs] for p in exact.front])
    assert np.unique(found, axis=0) == pytest.approx(expected)


@pytest.mark.parametrize("algorithm", [pb.SEARCH_ALGORITHM_NSGA2, pb.SEARCH_ALGORITHM_EXACT])
@pytest.mark.parametrize("mode", [pb.LATENCY_MODE_TABLE, pb.LATENCY_MODE_TABLE_REFINED])
def test_table_modes_report_measured_fronts_and_their_error(
    artifacts, fake, searcher, algorithm, mode
) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    service = searcher(
        predictor=fake(FakePredictor(library, second_order=False)).address,
        profilers=f"cpu={fake(profiler).address}",
    )
    search = run(
        service, spec(library, ACCURACY, LATENCY, algorithm=algorithm, latency_mode=mode, generations=15)
    )
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    error = search.latency_table_errors["cpu"]
    assert error.num_holdout == 8
    assert error.calibrated_relative_error < 0.01
    assert error.kendall_tau > 0.8
    for point in search.front:
        X = np.array([point.architecture.choices])
        assert point.latency_ms["cpu"] == pytest.approx(true_latency_ms(library, X)[0])
    X = every(library)
    F = np.c_[-true_accuracy(library, X, second_order=False), true_latency_ms(library, X)]
    worst, ideal = F.max(axis=0), F.min(axis=0)
    found = np.array([[-p.predicted_accuracy, p.latency_ms["cpu"]] for p in search.front])
    assert hypervolume(found, worst, ideal) >= 0.98 * hypervolume(F, worst, ideal)
    assert len(profiler.measured) < len(X) / 2


def test_a_refined_search_goes_on_until_its_front_is_measured(artifacts, fake, searcher) -> None:
    """Latencies far from additive: the front that the table believes in is not the one that is measured."""
    library = build_library(NUM_OPTIONS, artifacts)
    profilers = {"once": FakeProfiler(library, noise=0.1), "refined": FakeProfiler(library, noise=0.1)}
    service = searcher(
        predictor=fake(FakePredictor(library)).address,
        profilers=",".join(f"{name}={fake(profiler).address}" for name, profiler in profilers.items()),
    )
    modes = {"once": pb.LATENCY_MODE_TABLE, "refined": pb.LATENCY_MODE_TABLE_REFINED}
    found, fronts = {}, {}
    for name, mode in modes.items():
        device = (common.METRIC_LATENCY_MS, name)
        found[name] = run(service, spec(library, ACCURACY, device, latency_mode=mode, generations=10))
        assert found[name].job.state == common.JOB_STATE_SUCCEEDED, found[name].job.error
        fronts[name] = np.array([[-p.predicted_accuracy, p.latency_ms[name]] for p in found[name].front])
    assert len(found["once"].generations) == 10 < len(found["refined"].generations)
    assert found["once"].num_measured["once"] < found["refined"].num_measured["refined"]
    every_point = np.concatenate(list(fronts.values()))
    worst = every_point.max(axis=0)
    assert hypervolume(fronts["refined"], worst) >= hypervolume(fronts["once"], worst)


def test_several_devices_are_measured_at_the_same_time(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    at_work, alone = [threading.Event(), threading.Event()], []

    def together(mine: int) -> Callable[[tuple[int, ...], int], str]:
        def script(choices: tuple[int, ...], attempt: int) -> str:
            at_work[mine].set()
            if not at_work[1 - mine].wait(10):
                alone.append(choices)
            return ""

        return script

    cpu = FakeProfiler(library, script=together(0))
    board = FakeProfiler(library, factor=3.0, kind="board", script=together(1))
    service = searcher(
        predictor=fake(FakePredictor(library)).address,
        profilers=f"cpu={fake(cpu).address},board={fake(board).address}",
    )
    devices = [(common.METRIC_LATENCY_MS, "cpu"), (common.METRIC_LATENCY_MS, "board")]
    search = run(service, spec(library, ACCURACY, *devices, generations=3))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert dict(search.num_measured) == {"cpu": 60, "board": 60}
    assert not alone
    for point in search.front:
        assert point.latency_ms["board"] == pytest.approx(3 * point.latency_ms["cpu"])
    assert {row.device for row in search.feasibility.rows} == {"", "cpu", "board"}


def test_watchers_see_the_hypervolume_grow_generation_by_generation(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.02, factor=0.5)
    service = searcher(
        predictor=fake(FakePredictor(library)).address, profilers=f"cpu={fake(profiler).address}"
    )
    request = pb.CreateSearchRequest(spec=spec(library, ACCURACY, LATENCY, generations=4))
    name = service.remote.CreateSearch(request).search.name
    watched = service.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60)
    seen = [[g.hypervolume for g in response.search.generations] for response in watched]
    assert {len(volumes) for volumes in seen} >= {1, 2, 3, 4}
    whole = seen[-1]
    assert all(volumes == whole[: len(volumes)] for volumes in seen)
    assert whole == sorted(whole)
    # The box: from the best accuracy of the space and 0 ms to the worst accuracy and the slowest of generation 1.
    accuracy = true_accuracy(library, every(library))
    listed = service.remote.ListEvaluations(
        pb.ListEvaluationsRequest(parent=name, page_size=1000)
    ).evaluations
    F = np.array([[-e.predicted_accuracy, e.latency_ms["cpu"]] for e in listed])
    slowest_ms = F[[e.generation == 1 for e in listed], 1].max()
    share = hypervolume(F, np.array([-accuracy.min(), slowest_ms]), np.array([-accuracy.max(), 0.0]))
    assert whole[-1] == pytest.approx(share, rel=1e-5)
    assert whole[-1] <= 1


def test_a_limit_of_measurements_is_kept(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    service = searcher(
        predictor=fake(FakePredictor(library)).address, profilers=f"cpu={fake(profiler).address}"
    )
    search = run(service, spec(library, ACCURACY, LATENCY, max_measurements=30))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert len(profiler.measured) == 30 == search.num_measured["cpu"]
    assert len(search.front) > 0


def test_validate_only_fills_the_feasibility_table_and_stores_nothing(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library)).address)
    message = spec(
        library,
        ACCURACY,
        MACS,
        bounds=[pb.Bound(metric=MACS[0], max=1.0), pb.Bound(metric=ACCURACY[0], min=0.5)],
    )
    checked = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message, validate_only=True)).search
    assert not checked.name
    rows = {row.metric: row for row in checked.feasibility.rows}
    assert not rows[common.METRIC_MACS].feasible
    assert rows[common.METRIC_MACS].bound.max == 1.0
    assert rows[common.METRIC_ACCURACY].feasible
    X = every(library)
    macs = np.sort(library.costs(X, "macs"))
    assert (rows[common.METRIC_MACS].smallest, rows[common.METRIC_MACS].median, rows[common.METRIC_MACS].largest) == (
        macs[0], macs[(len(macs) - 1) // 2], macs[-1],
    )  # fmt: skip
    assert not service.remote.ListSearches(pb.ListSearchesRequest()).searches
    with pytest.raises(FailedPrecondition, match=f"macs <= 1: the space has smallest {macs[0]:g}") as caught:
        service.remote.CreateSearch(pb.CreateSearchRequest(spec=message))
    assert caught.value.reason == "BOUND_UNREACHABLE"
    assert caught.value.violations[0].field == "bounds[macs]"


def test_a_check_without_a_library_looks_at_what_needs_none(artifacts, fake, searcher) -> None:
    profiler = FakeProfiler(build_library(NUM_OPTIONS, artifacts))
    service = searcher(profilers=f"cpu={fake(profiler).address}")
    asked = pb.SearchSpec(objectives=[pb.Objective(metric=LATENCY[0], device="cpu")])
    request = pb.CreateSearchRequest(spec=asked, validate_only=True)
    checked = service.remote.CreateSearch(request).search
    assert checked.spec.population == 100 and not checked.spec.HasField("library")
    assert not profiler.measured
    for change, field in (
        ({"algorithm": pb.SEARCH_ALGORITHM_EXACT}, "spec.latency_mode"),
        ({"bounds": [pb.Bound(metric=LATENCY[0], device="gpu", max=1)]}, r"spec.bounds\[0\].device"),
        ({"objectives": [pb.Objective(metric=MACS[0])] * 2}, "spec.objectives"),
    ):
        wrong = pb.SearchSpec()
        wrong.CopyFrom(asked)
        wrong.MergeFrom(pb.SearchSpec(**change))
        with pytest.raises(InvalidArgument, match=f"{field}: "):
            service.remote.CreateSearch(pb.CreateSearchRequest(spec=wrong, validate_only=True))
    with pytest.raises(InvalidArgument, match="sha256"):
        service.remote.CreateSearch(pb.CreateSearchRequest(spec=asked))


def test_a_check_measures_a_few_networks_and_needs_no_predictor(
    artifacts, fake, searcher, monkeypatch
) -> None:
    monkeypatch.setattr("services.searcher.glance.AWAY_S", 0.1)
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    service = searcher(profilers=f"cpu={fake(profiler).address},gone=127.0.0.1:1")
    bounds = [pb.Bound(metric=LATENCY[0], device="cpu", max=0.1)]
    message = spec(library, ACCURACY, LATENCY, bounds=bounds)
    message.predictor = ""
    request = pb.CreateSearchRequest(spec=message, validate_only=True)
    (row,) = service.remote.CreateSearch(request).search.feasibility.rows
    X = every(library)
    latency_ms = true_latency_ms(library, X)
    assert (row.device, row.estimated, row.feasible, row.bound.max) == ("cpu", True, False, 0.1)
    assert row.smallest == pytest.approx(latency_ms.min(), rel=0.01)
    assert row.largest == pytest.approx(latency_ms.max(), rel=0.01)
    assert row.smallest < row.median < row.largest
    assert len(profiler.measured) <= 5
    with pytest.raises(InvalidArgument, match=r"spec\.predictor: is needed for accuracy"):
        service.remote.CreateSearch(pb.CreateSearchRequest(spec=message))
    request.spec.objectives[1].device = "gone"
    with pytest.raises(FailedPrecondition, match="gone"):
        service.remote.CreateSearch(request)


def test_an_unreachable_latency_bound_fails_after_the_smallest_networks(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    service = searcher(
        predictor=fake(FakePredictor(library)).address, profilers=f"cpu={fake(profiler).address}"
    )
    search = run(
        service, spec(library, ACCURACY, LATENCY, bounds=[pb.Bound(metric=LATENCY[0], device="cpu", max=0.1)])
    )
    assert search.job.state == common.JOB_STATE_FAILED
    assert search.job.error.reason == "BOUND_UNREACHABLE"
    assert "the smallest one takes" in search.job.error.message
    latency_ms = true_latency_ms(library, every(library))
    told = {name: float(search.job.error.metadata[name]) for name in ("smallest", "median", "largest")}
    assert told["smallest"] == pytest.approx(latency_ms.min(), rel=0.05)
    assert told["smallest"] < told["median"] < told["largest"]
    assert told["largest"] == pytest.approx(latency_ms.max(), rel=0.05)
    assert len(profiler.measured) <= 5


def test_bounds_that_exclude_each_other_fail_with_the_nearest(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library)).address)
    X = every(library)
    best = float(true_accuracy(library, X).max()) - 1e-5
    bounds = [
        pb.Bound(metric=ACCURACY[0], min=best),
        pb.Bound(metric=MACS[0], max=float(library.costs(X, "macs").min()) + 1),
    ]
    search = run(service, spec(library, ACCURACY, MACS, bounds=bounds))
    assert search.job.error.reason == "NO_FEASIBLE"
    assert "the nearest" in search.job.error.message


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        (lambda m: m.ClearField("objectives"), InvalidArgument, "spec.objectives"),
        (lambda m: m.objectives.add(metric=common.METRIC_MACS), InvalidArgument, "spec.objectives"),
        (lambda m: m.objectives.add(metric=common.METRIC_LATENCY_MS), InvalidArgument, "spec.objectives[2].device"),
        (lambda m: m.objectives.add(metric=common.METRIC_LATENCY_MS, device="moon"), InvalidArgument,
         "spec.objectives[2].device"),
        (lambda m: m.objectives.add(metric=99), InvalidArgument, "spec.objectives[2].metric"),
        (lambda m: m.bounds.add(metric=common.METRIC_MACS), InvalidArgument, "spec.bounds[0]"),
        (lambda m: m.bounds.add(metric=common.METRIC_MACS, min=2, max=1), InvalidArgument, "spec.bounds[0]"),
        (lambda m: setattr(m, "population", 2), InvalidArgument, "spec.population"),
        (lambda m: setattr(m, "generations", -1), InvalidArgument, "spec.generations"),
        (lambda m: setattr(m, "seed", -1), InvalidArgument, "spec.seed"),
        (lambda m: setattr(m, "max_measurements", -1), InvalidArgument, "spec.max_measurements"),
        (lambda m: setattr(m, "predictor", ""), InvalidArgument, "spec.predictor"),
        (lambda m: setattr(m, "predictor", "x"), InvalidArgument, "spec.predictor"),
        (lambda m: setattr(m, "predictor", "predictors/none"), NotFound, None),
        (lambda m: m.library.Clear(), InvalidArgument, "spec.library.sha256"),
        (lambda m: setattr(m.library, "sha256", "0" * 64), NotFound, None),
        (lambda m: m.initial.add(choices=[9, 9, 9, 9]), InvalidArgument, "spec.initial[0]"),
    ],
)  # fmt: skip
def test_wrong_requests_name_the_field(artifacts, fake, searcher, change, error, field) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library)).address)
    message = spec(library, ACCURACY, MACS)
    change(message)
    with pytest.raises(error) as caught:
        service.remote.CreateSearch(pb.CreateSearchRequest(spec=message))
    if field:
        assert [violation.field for violation in caught.value.violations] == [field]


def test_a_repeated_request_needs_neither_predictor_nor_device(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    predictor, profiler = fake(FakePredictor(library)), fake(FakeProfiler(library))
    service = searcher(predictor=predictor.address, profilers=f"cpu={profiler.address}")
    message = spec(library, ACCURACY, LATENCY, generations=1)
    request = pb.CreateSearchRequest(spec=message, request_id="once")
    name = run(service, message, request_id="once").name
    predictor.stop()
    profiler.stop()
    assert service.remote.CreateSearch(request).search.name == name
    message.generations = 2
    other = pb.CreateSearchRequest(spec=message, request_id="once")
    with pytest.raises(AlreadyExists):
        service.remote.CreateSearch(other)


def test_resources_are_idempotent_listed_cancelled_and_deleted(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    service = searcher(predictor=fake(FakePredictor(library)).address)
    message = spec(library, ACCURACY, MACS, initial=[common.Architecture(choices=[1, 1, 1, 1])])
    search = run(service, message, request_id="r1")
    assert run(service, message, request_id="r1").name == search.name
    assert service.remote.GetSearch(pb.GetSearchRequest(name=search.name)).search == search
    assert search.spec.generations == 8
    assert search.spec.algorithm == pb.SEARCH_ALGORITHM_NSGA2
    long = spec(library, ACCURACY, MACS, population=200, generations=5000)
    endless = service.remote.CreateSearch(pb.CreateSearchRequest(spec=long)).search
    while not service.remote.GetSearch(pb.GetSearchRequest(name=endless.name)).search.generations:
        time.sleep(0.01)
    service.remote.CancelSearch(pb.CancelSearchRequest(name=endless.name))
    ended = [r.search for r in service.remote.WatchSearch(pb.WatchSearchRequest(name=endless.name))][-1]
    assert ended.job.state == common.JOB_STATE_CANCELLED
    page = service.remote.ListEvaluations(pb.ListEvaluationsRequest(parent=endless.name, page_size=10))
    X = np.array([e.architecture.choices for e in page.evaluations], dtype=np.int64)
    assert [e.predicted_accuracy for e in page.evaluations] == pytest.approx(
        true_accuracy(library, X), abs=1e-6
    )
    assert [s.name for s in service.remote.ListSearches(pb.ListSearchesRequest()).searches] == [
        endless.name,
        search.name,
    ]
    service.remote.DeleteSearch(pb.DeleteSearchRequest(name=search.name))
    with pytest.raises(NotFound):
        service.remote.GetSearch(pb.GetSearchRequest(name=search.name))


def test_devices_are_listed_with_those_that_are_away(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    cpu, two = fake(FakeProfiler(library)), fake(FakeProfiler(library, devices=("a", "b"), kind="phone"))
    service = searcher(profilers=f"cpu={cpu.address},farm={two.address},gone=127.0.0.1:1")
    devices = service.remote.ListSearchDevices(pb.ListSearchDevicesRequest()).search_devices
    assert [(d.name, d.kind, d.reachable) for d in devices] == [
        ("cpu", "cpu-2c", True),
        ("farm.a", "phone", True),
        ("farm.b", "phone", True),
        ("gone", "", False),
    ]
