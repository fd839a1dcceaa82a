"""Devices that are away, lost, busy, moved or behind a line that breaks, in the middle of a search."""

from __future__ import annotations

import threading
import time

import grpc
import pytest

from donna.errors import AlreadyExists, FailedPrecondition, ResourceExhausted
from donna.rpc.channel import Peer
from donna.v1 import common_pb2 as common
from donna.v1 import searcher_pb2 as pb
from services.searcher.bench import _pieces
from services.searcher.profilers import Profilers
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library
from tests.unit.searcher.test_bad_days import failures, start, until
from tests.unit.searcher.test_service import ACCURACY, LATENCY, NUM_OPTIONS, run, spec


def test_a_search_waits_for_its_device_and_goes_on_when_it_is_back(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.01)
    service, started = start(searcher, fake, library, {"cpu": profiler}, call_deadline_s=2)
    created = service.remote.CreateSearch(
        pb.CreateSearchRequest(spec=spec(library, ACCURACY, LATENCY, generations=5))
    )
    seen: list[pb.Search] = []

    def watch() -> None:
        request = pb.WatchSearchRequest(name=created.search.name)
        seen.extend(r.search for r in service.remote.WatchSearch(request, deadline_s=60))

    watcher = threading.Thread(target=watch)
    watcher.start()
    while len(profiler.measured) < 30:
        time.sleep(0.01)
    started["cpu"].stop()
    while not any(search.job.state == common.JOB_STATE_WAITING for search in seen):
        time.sleep(0.01)
    before = len(profiler.measured)
    started["cpu"].start()
    watcher.join()
    waiting = next(search for search in seen if search.job.state == common.JOB_STATE_WAITING)
    assert waiting.job.waiting_for.startswith("device cpu: ")
    assert seen[-1].job.state == common.JOB_STATE_SUCCEEDED, seen[-1].job.error
    assert len(profiler.measured) == 100 > before
    assert {count - profiler.skipped_cache[c] for c, count in profiler.measured.items()} <= {1, 2}


def test_a_device_of_the_same_kind_steps_in(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    gone = []
    first = FakeProfiler(
        library, script=lambda choices, attempt: "AWAY" if gone or len(first.measured) >= 10 else ""
    )
    spare = FakeProfiler(library)
    other = FakeProfiler(library, kind="another")
    service, _ = start(searcher, fake, library, {"cpu": first, "cpu2": spare, "board": other})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=3))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert len(first.measured) == 10
    assert len(set(first.measured) | set(spare.measured)) == 60
    assert not other.measured


def test_a_pool_shares_the_work(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    one, two = FakeProfiler(library, pause_s=0.01), FakeProfiler(library, pause_s=0.01)
    service, _ = start(searcher, fake, library, {"one": one, "two": two})
    pool = (common.METRIC_LATENCY_MS, "cpu-2c")
    search = run(service, spec(library, ACCURACY, pool, generations=3))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    firsts = [set(p.measured) for p in (one, two)]
    assert len(firsts[0] | firsts[1]) == 60
    assert min(len(part) for part in firsts) > 10
    assert max(one.most_at_once, two.most_at_once) == 1


def test_a_member_of_a_pool_that_hangs_is_not_tried_in_every_generation(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    ended, hung = threading.Event(), []

    def hang(choices: tuple[int, ...], attempt: int) -> str:
        hung.append(choices)
        ended.wait(20)
        return "CRASHED"

    one, two = FakeProfiler(library, script=hang), FakeProfiler(library, pause_s=0.01)
    one.GetDevice = lambda request, context: ended.wait(20)  # type: ignore[assignment, method-assign]
    service, _ = start(searcher, fake, library, {"one": one, "two": two}, call_deadline_s=0.5)
    pool = (common.METRIC_LATENCY_MS, "cpu-2c")
    search = run(service, spec(library, ACCURACY, pool, generations=3))
    ended.set()
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert len(hung) == 1
    assert len(two.measured) == 60


def test_a_lost_device_gets_a_new_request_after_its_return(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    lost: list[tuple[int, ...]] = []

    def script(choices: tuple[int, ...], attempt: int) -> str:
        if len(lost) < 3 and attempt == 1:
            lost.append(choices)
            return "DEVICE_LOST"
        return ""

    profiler = FakeProfiler(library, script=script)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=3))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert set(lost) <= set(profiler.measured)
    assert not failures(service, search)


def test_a_search_says_for_which_of_its_devices_it_waits(artifacts, fake, searcher) -> None:
    """While another goes on: neither its results nor what is stored meanwhile makes the search look as if it ran."""
    library = build_library(NUM_OPTIONS, artifacts)
    cpu, board = FakeProfiler(library, pause_s=0.005), FakeProfiler(library, pause_s=0.05, kind="board")
    service, started = start(searcher, fake, library, {"cpu": cpu, "board": board})
    on_board = (common.METRIC_LATENCY_MS, "board")
    message = spec(library, ACCURACY, LATENCY, on_board, generations=3)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def state() -> pb.Search:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search

    until(lambda: len(board.measured) > 2)
    started["cpu"].stop()
    until(lambda: state().job.state == common.JOB_STATE_WAITING)
    before = len(board.measured)
    for _ in range(30):
        waits = state().job
        assert (waits.state, waits.waiting_for[:24]) == (common.JOB_STATE_WAITING, "device cpu: cpu is away:")
        time.sleep(0.02)
    assert len(board.measured) > before
    started["cpu"].start()
    until(lambda: state().job.state != common.JOB_STATE_WAITING)
    until(lambda: state().job.state == common.JOB_STATE_SUCCEEDED)
    assert state().num_measured == {"cpu": 60, "board": 60}


@pytest.mark.parametrize(
    "ending",
    [
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        ResourceExhausted("1000 calls in hand already", retry_after_s=0.01),
        ResourceExhausted("this host cannot keep the model", reason="DISK_FULL"),
        FailedPrecondition("the device is lost", reason="DEVICE_LOST"),
    ],
    ids=str,
)
def test_whatever_a_broken_connection_says_the_search_goes_on(artifacts, fake, searcher, ending) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    broken: set[tuple[int, ...]] = set()

    def script(choices: tuple[int, ...], attempt: int):
        if len(broken) < 4 and choices not in broken:
            broken.add(choices)
            return ending
        return ""

    profiler = FakeProfiler(library, script=script)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=2))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert search.num_measured["cpu"] == 40
    assert broken <= set(profiler.measured)
    assert not failures(service, search)
    # What was asked may be under way: it is asked for again, not anew.
    assert {len(profiler.request_ids[choices]) for choices in broken} == {1}


@pytest.mark.parametrize(
    "refusal",
    [
        AlreadyExists("the request_id was used before for another request", reason="REQUEST_ID_REUSED"),
        FailedPrecondition("5 of the network's files are not on this host", reason="MODEL_MISSING"),
    ],
    ids=str,
)
def test_what_a_profiler_refuses_for_now_is_asked_anew(artifacts, fake, searcher, refusal) -> None:
    """A device that has changed with an order in flight, and a host that evicts fragments as they come."""
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, script=lambda choices, attempt: refusal if attempt <= 4 else "")
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=1, population=4))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error
    assert not failures(service, search)
    assert min(len(ids) for ids in profiler.request_ids.values()) > 1


def test_what_is_lost_after_it_was_sent_again_is_waited_for(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    lost = FailedPrecondition("the device is lost", reason="DEVICE_LOST")
    missing = FailedPrecondition("5 of the network's files are not on this host", reason="MODEL_MISSING")
    words = {1: missing, 2: lost}
    profiler = FakeProfiler(library, script=lambda choices, attempt: words.get(attempt, ""))
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    search = run(service, spec(library, ACCURACY, LATENCY, generations=1, population=4))
    assert search.job.state == common.JOB_STATE_SUCCEEDED, search.job.error


@pytest.mark.parametrize("offset", [0, 5, 9, 10])
def test_an_upload_goes_on_and_never_without_a_piece(offset: int) -> None:
    data = b"0123456789"
    sent = [request.chunk for request in _pieces("digest", data, offset)]
    assert [(chunk.offset, chunk.data) for chunk in sent] == [(offset % 10, data[offset % 10 :])]


def test_a_search_says_that_its_device_is_busy(artifacts, fake, searcher, monkeypatch) -> None:
    monkeypatch.setattr("services.searcher.bench.QUEUED_S", 0.1)
    monkeypatch.setattr("services.searcher.bench.SLICE_S", 0.1)
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, script=lambda choices, attempt: "QUEUE" if profiler.queue_length else "")
    profiler.queue_length = 7
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    message = spec(library, ACCURACY, LATENCY, generations=1)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def job() -> common.Job:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search.job

    until(lambda: job().state == common.JOB_STATE_WAITING)
    assert job().waiting_for == "device cpu: cpu is busy, 7 measurements wait for it"
    profiler.queue_length = 0
    until(lambda: job().state == common.JOB_STATE_SUCCEEDED)


def test_a_device_of_the_same_kind_that_comes_later_steps_in(artifacts, fake, searcher, monkeypatch) -> None:
    monkeypatch.setattr("services.searcher.dispatch.LOOK_S", 0.1)
    library = build_library(NUM_OPTIONS, artifacts)
    first = FakeProfiler(library, script=lambda choices, attempt: "AWAY" if first.measured else "")
    spare = FakeProfiler(library)
    spare.away = True
    service, _ = start(searcher, fake, library, {"cpu": first, "cpu2": spare})
    message = spec(library, ACCURACY, LATENCY, generations=1)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def job() -> common.Job:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search.job

    until(lambda: job().state == common.JOB_STATE_WAITING)
    assert not spare.measured
    spare.away = False
    until(lambda: job().state == common.JOB_STATE_SUCCEEDED)
    assert (len(first.measured), len(spare.measured)) == (1, 19)


def test_a_profiler_that_moves_or_is_not_known_yet_is_waited_for(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.01)
    service, started = start(searcher, fake, library, {"cpu": profiler})
    message = spec(library, ACCURACY, LATENCY, generations=3)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name
    until(lambda: len(profiler.measured) > 5)
    service.profilers.add("cpu", Peer(address=fake(profiler).address))
    started["cpu"].stop()
    before = len(profiler.measured)
    until(lambda: len(profiler.measured) > before + 5)
    service.stop()
    # After a restart, those that a cluster or a hub tells of are not known at once.
    service = searcher(predictor=fake(FakePredictor(library)).address)

    def job() -> common.Job:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search.job

    until(lambda: job().state == common.JOB_STATE_WAITING)
    assert "'cpu' is not a device of this searcher" in job().waiting_for
    service.profilers.add("cpu", Peer(address=fake(profiler).address))
    until(lambda: job().state == common.JOB_STATE_SUCCEEDED)
    assert len(profiler.measured) == 60


def test_what_an_absent_device_has_measured_is_still_known_after_a_restart(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    one, two = (FakeProfiler(library, pause_s=0.01, system=system) for system in ("1", "2"))
    service, _ = start(searcher, fake, library, {"one": one, "two": two})
    message = spec(library, ACCURACY, (common.METRIC_LATENCY_MS, "cpu-2c"), generations=4)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def search() -> pb.Search:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search

    until(lambda: len(search().generations) >= 2)
    service.stop()
    two.away = True
    before = sum(two.measured.values())
    assert before > 10
    service, _ = start(searcher, fake, library, {"one": one, "two": two})
    until(lambda: search().job.state == common.JOB_STATE_SUCCEEDED)
    assert search().num_measured == {"cpu-2c": 80}
    assert sum(two.measured.values()) == before
    firsts = [{c for c, count in p.measured.items() if count > p.skipped_cache[c]} for p in (one, two)]
    assert len(firsts[0] & firsts[1]) <= 20  # those of the generation that was under way


def test_a_front_stays_visible_while_a_search_that_was_started_again_waits(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library, pause_s=0.02)
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    message = spec(library, ACCURACY, LATENCY, generations=50)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def search() -> pb.Search:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search

    until(lambda: search().front)
    service.stop()
    profiler.away = True
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    until(lambda: search().job.state == common.JOB_STATE_WAITING)
    assert search().front
    assert search().generations


def test_a_kind_whose_devices_are_not_ready_is_waited_for(artifacts, fake, searcher) -> None:
    library = build_library(NUM_OPTIONS, artifacts)
    profiler = FakeProfiler(library)
    profiler.away = True
    service, _ = start(searcher, fake, library, {"cpu": profiler})
    message = spec(library, ACCURACY, (common.METRIC_LATENCY_MS, "cpu-2c"), generations=1)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name

    def job() -> common.Job:
        return service.remote.GetSearch(pb.GetSearchRequest(name=name)).search.job

    until(lambda: job().state == common.JOB_STATE_WAITING)
    assert job().waiting_for == "device cpu-2c: cpu cannot be measured on: it is unplugged"
    profiler.away = False
    until(lambda: job().state == common.JOB_STATE_SUCCEEDED)


def test_a_connection_that_was_closed_meanwhile_is_a_device_that_is_away() -> None:
    profilers = Profilers({"cpu": Peer(address="127.0.0.1:1")})
    profilers._known["cpu"].channel.close()
    assert profilers.survey() == ({}, {"cpu": "the connection to it was renewed"})


def test_one_profiler_that_hangs_or_refuses_does_not_hide_the_others(
    artifacts, fake, searcher, monkeypatch
) -> None:
    monkeypatch.setattr("services.searcher.profilers.SURVEY_S", 0.3)
    library = build_library(NUM_OPTIONS, artifacts)
    hanging, refusing, ended = FakeProfiler(library), FakeProfiler(library), threading.Event()
    hanging.ListDevices = lambda request, context: ended.wait(20)  # type: ignore[assignment, method-assign]
    refusing.ListDevices = lambda request, context: context.abort(  # type: ignore[method-assign]
        grpc.StatusCode.UNAUTHENTICATED, "the call carries no valid bearer token"
    )
    service, _ = start(searcher, fake, library, {"a": hanging, "b": FakeProfiler(library), "c": refusing})
    began = time.monotonic()
    listed = service.remote.ListSearchDevices(pb.ListSearchDevicesRequest()).search_devices
    assert time.monotonic() - began < 10
    assert [(d.name, d.profiler, d.device, d.reachable) for d in listed] == [
        ("a", "a", "", False),
        ("b", "b", "devices/cpu", True),
        ("c", "c", "", False),
    ]
    assert "valid bearer token" in listed[2].description
    ended.set()
