"""Profilers that die, hang, settle badly or cannot run a network, in the middle of a search."""

from __future__ import annotations

import time

import numpy as np
import pytest

from donna.v1 import common_pb2 as common
from donna.v1 import searcher_pb2 as pb
from services.searcher import predictors
from services.searcher.metric import Metric
from services.searcher.spec import SearchSpec
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library, true_latency_ms
from tests.unit.searcher.test_service import ACCURACY, LATENCY, NUM_OPTIONS, run, spec


def start(searcher, fake, library, profilers: dict[str, FakeProfiler], **settings):
    started = {name: fake(profiler) for name, profiler in profilers.items()}
    service = searcher(
        predictor=fake(FakePredictor(library)).address,
        profilers=",".join(f"{name}={each.address}" for name, each in started.items()),
        **settings,
    )
    return service, started


def until(holds, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def failures(service, search) -> dict[tuple[int, ...], str]:
    request = pb.ListEvaluationsRequest(parent=search.name, page_size=1000)
    listed = service.remote.ListEvaluations(request).evaluations
    return {tuple(e.architecture.choices): e.failures["cpu"] for e in listed if e.failures}


def test_what_cannot_run_is_infeasible_and_recorded(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    words = dict(enumerate(("UNSUPPORTED_OP", "OUT_OF_MEMORY", "INVALID_MODEL", "UNMEASURABLE")))
    profiler = FakeProfiler(library, script=lambda choices, attempt: words.get(choices[0], ""))
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=4))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert all(point.architecture.choices[0] > 3 for point in search.front)
    recorded = failures(service, search)
    assert set(recorded.values()) == set(words.values())
    assert all(word == words[choices[0]] for choices, word in recorded.items())
    # Not runnable stays not runnable: one attempt each, and none at all in the next search.
    assert all(profiler._attempts[choices] == 1 for choices in recorded)
    run(service, spec(library, ACCURACY, LATENCY, generations=4))
    assert all(profiler._attempts[choices] == 1 for choices in recorded)


def test_an_unstable_latency_is_taken_and_marked(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, script=lambda choices, attempt: "UNSTABLE" if sum(choices) % 2 else "")
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=4))
    marks = {tuple(p.architecture.choices): list(p.unstable_devices) for p in search.front}
    assert {tuple(mark) for mark in marks.values()} == {(), ("cpu",)}
    assert all((mark == ["cpu"]) == bool(sum(choices) % 2) for choices, mark in marks.items())
    assert not failures(service, search)


def test_an_unstable_latency_of_the_front_is_measured_again(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, script=lambda choices, attempt: "UNSTABLE" if attempt == 1 else "")
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=3))
    assert not any(point.unstable_devices for point in search.front)
    for point in search.front:
        choices = tuple(point.architecture.choices)
        assert profiler.measured[choices] == 2
        assert profiler.skipped_cache[choices] == 1
        assert len(point.medians_ms["cpu"].values) == 1  # the one that settled
    assert sum(profiler.measured.values()) == 60 + len(search.front)


def test_crashes_are_retried_a_bounded_number_of_times(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)

    def script(choices: tuple[int, ...], attempt: int) -> str:
        return "CRASHED" if choices[0] == 2 or (choices[0] == 3 and attempt < 3) else ""

    profiler = FakeProfiler(library, script=script)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=4))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    recorded = failures(service, search)
    assert recorded
    assert {choices[0] for choices in recorded} == {2}
    assert {profiler._attempts[choices] for choices in recorded} == {3}
    assert any(choices[0] == 3 for choices in profiler.measured)


def test_a_measurement_that_hangs_is_given_up_and_cancelled(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    stuck = []

    def script(choices: tuple[int, ...], attempt: int) -> str:
        if not stuck:
            stuck.append(choices)
        return "HANG" if choices == stuck[0] else ""

    profiler = FakeProfiler(library, script=script)
    service, _ = start(
        searcher, fake, library, {"cpu": profiler}, measurement_deadline_s=0.2, measurement_attempts=2
    )
    search = run(service, spec(library, ACCURACY, LATENCY, generations=2))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert failures(service, search) == {stuck[0]: "TIMEOUT"}
    assert len(profiler.cancelled) == 2


def test_a_network_that_takes_its_device_down_does_so_a_bounded_number_of_times(
    artifacts, fake, searcher
) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    order: list[tuple[int, ...]] = []

    def script(choices: tuple[int, ...], attempt: int) -> str:
        order.append(choices)
        return "DEVICE_LOST" if choices[0] == 2 else ""

    profiler = FakeProfiler(library, script=script)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=1))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    recorded = failures(service, search)
    assert recorded
    assert set(recorded.values()) == {"DEVICE_LOST"}
    assert {choices[0] for choices in recorded} == {2}
    assert {profiler._attempts[choices] for choices in recorded} == {3}
    # The others got their turn before it was tried again.
    first_again = next(i for i, choices in enumerate(order) if choices in order[:i])
    assert set(order[:first_again]) == set(order)


def test_fragments_that_were_evicted_while_a_measurement_queued_are_sent_again(
    artifacts, fake, searcher
) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    evicted: list[tuple[int, ...]] = []

    def script(choices: tuple[int, ...], attempt: int) -> str:
        if len(profiler.measured) in (10, 30) and len(evicted) < 2 and attempt == 1:
            evicted.append(choices)
            return "MODEL_MISSING"
        return ""

    profiler = FakeProfiler(library, script=script)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=2))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert len(evicted) == 2
    assert not failures(service, search)
    assert max(profiler.uploads.values()) > 1


def waits_for_the_predictor(service, name: str) -> None:
    """Returns when the search says so."""
    for response in service.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60):
        assert response.search.job.state <= common.JOB_STATE_WAITING, response.search.job.error
        if "the predictor" in response.search.job.waiting_for:
            return
    raise AssertionError("it did not wait")


def test_a_search_waits_for_its_predictor_and_then_needs_it_no_more(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    servicer, profiler = FakePredictor(library), FakeProfiler(library, pause_s=0.01)
    predictor = fake(servicer)
    addresses = {"predictor": predictor.address, "profilers": f"cpu={fake(profiler).address}"}
    service = searcher(**addresses)
    message = spec(library, ACCURACY, LATENCY, generations=5)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name
    while not profiler.measured:
        time.sleep(0.01)
    service.stop()
    predictor.stop()
    service = searcher(**addresses)
    waits_for_the_predictor(service, name)
    predictor.start()
    calls = servicer.calls
    seen = []
    for response in service.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60):
        seen.append(response.search)
        if servicer.calls > calls and predictor.running:
            predictor.stop()  # it has said all that it knows
    assert seen[-1].job.state == common.JOB_STATE_SUCCEEDED, seen[-1].job.error
    assert len(seen[-1].generations) == 5
    assert servicer.calls == calls + 1
    assert seen[-1].front[0].accuracy_low < seen[-1].front[0].predicted_accuracy


def test_a_predictor_that_hangs_is_waited_for(artifacts, fake, searcher, monkeypatch) -> None:
    monkeypatch.setattr(predictors, "CALL_S", 0.5)
    library = build_library(NUM_OPTIONS, artifacts)
    servicer = FakePredictor(library)
    service = searcher(predictor=fake(servicer).address)
    servicer.hangs.set()
    service.parts.engines[0].create(
        SearchSpec(
            library=library.digest,
            predictor="predictors/p1",
            objectives=(Metric(name="accuracy"), Metric(name="macs")),
            generations=2,
        ).to_dict()
    )
    (search,) = service.remote.ListSearches(pb.ListSearchesRequest()).searches
    waits_for_the_predictor(service, search.name)
    servicer.hangs.clear()
    *_, last = service.remote.WatchSearch(pb.WatchSearchRequest(name=search.name), deadline_s=60)
    assert last.search.job.state == common.JOB_STATE_SUCCEEDED, last.search.job.error


def test_near_duplicates_of_the_front_are_measured_again(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, noise=0.005, offset_ms=20.0)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=5))
    repeated = [point for point in search.front if len(point.medians_ms["cpu"].values) > 1]
    assert repeated
    for point in search.front:
        medians = point.medians_ms["cpu"].values
        assert point.latency_ms["cpu"] == pytest.approx(np.median(medians))
        X = np.array([point.architecture.choices])
        assert point.latency_ms["cpu"] == pytest.approx(20 + true_latency_ms(library, X)[0], rel=0.02)
    assert sum(profiler.skipped_cache.values()) >= len(repeated)


def test_cancelling_stops_a_measurement_at_once(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, script=lambda choices, attempt: "HANG")
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    created = service.remote.CreateSearch(
        pb.CreateSearchRequest(spec=spec(library, ACCURACY, LATENCY))
    ).search
    while not profiler._measurements:
        time.sleep(0.01)
    service.remote.CancelSearch(pb.CancelSearchRequest(name=created.name))
    while not profiler.cancelled:
        time.sleep(0.01)
    assert profiler.cancelled == ["measurements/m0"]


@pytest.mark.parametrize("mode", [pb.LATENCY_MODE_MEASURED, pb.LATENCY_MODE_TABLE_REFINED])
def test_stopped_and_started_again_and_again_it_measures_nothing_twice(
    artifacts, fake, searcher, mode
) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.002)
    addresses = {
        "predictor": fake(FakePredictor(library)).address,
        "profilers": f"cpu={fake(profiler).address}",
    }
    message = spec(library, ACCURACY, LATENCY, latency_mode=mode, generations=6)
    service = searcher(**addresses)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name
    for _ in range(4):
        before = len(profiler.measured)
        while len(profiler.measured) < before + 20:
            if (
                service.remote.GetSearch(pb.GetSearchRequest(name=name)).search.job.state
                > common.JOB_STATE_WAITING
            ):
                break
            time.sleep(0.005)
        service.stop()
        service = searcher(**addresses)
    watched = [r.search for r in service.remote.WatchSearch(pb.WatchSearchRequest(name=name), deadline_s=60)]
    assert watched[-1].job.state == common.JOB_STATE_SUCCEEDED, watched[-1].job.error
    firsts = {
        choices: count - profiler.skipped_cache[choices] for choices, count in profiler.measured.items()
    }
    assert set(firsts.values()) == {1}
    # An uninterrupted search on the same device finds the same: everything it asks for is on record.
    whole = run(service, message)
    assert len(profiler.measured) == len(firsts)
    assert [p.architecture for p in whole.front] == [p.architecture for p in watched[-1].front]
    assert [p.latency_ms["cpu"] for p in whole.front] == [p.latency_ms["cpu"] for p in watched[-1].front]
    assert list(whole.generations) == list(watched[-1].generations)
