"""Devices by name, profiler and kind; a measurement outlives what happens on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from donna.client import JobFailed
from donna.client.artifacts import chunks
from donna.client.devices import choose
from donna.errors import DonnaError, NotFound, ResourceExhausted, Unavailable
from donna.v1 import common_pb2
from donna.v1.searcher_pb2 import SearchDevice
from tests.unit.client.profilers import Profiler, client_of
from tests.unit.rpc.serving import endpoint, serving

MODEL = b"a model" * 400_000  # three chunks


def device(profiler: str, id_: str, kind: str, *, name: str = "", reachable: bool = True) -> SearchDevice:
    return SearchDevice(
        name=name or f"{profiler}.{id_}",
        profiler=profiler,
        device=f"devices/{id_}",
        kind=kind,
        reachable=reachable,
        description="too warm",
    )


KNOWN = [
    device("lab", "s20", "phone", reachable=False),
    device("lab", "s21", "phone"),
    device("board", "cpu", "arm", name="board"),
    SearchDevice(name="shed", profiler="shed", description="does not answer"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("board", "board"),
        ("board.cpu", "board"),
        ("lab.s21", "lab.s21"),
        ("phone", "lab.s21"),
        ("arm", "board"),
    ],
)
def test_a_device_has_a_name_and_a_kind(name: str, found: str) -> None:
    assert choose(name, KNOWN).name == found


def test_what_is_away_is_another_thing_than_what_nobody_knows() -> None:
    for name, why in (("lab.s20", "too warm"), ("shed.x", "does not answer")):
        with pytest.raises(Unavailable, match=f"{name} cannot be measured on: {why}"):
            choose(name, KNOWN)
    with pytest.raises(
        NotFound, match=r"'lap' is not known; known are lab\.s20, lab\.s21, board, shed, arm, phone"
    ):
        choose("lap", KNOWN)


@pytest.fixture
def profiler() -> Profiler:
    return Profiler()


@pytest.fixture
def address(profiler: Profiler) -> Iterator[str]:
    with serving(endpoint(profiler)) as where:
        yield where


def test_a_profiler_is_measured_on_without_a_searcher(profiler: Profiler, address: str) -> None:
    with client_of(address) as client:
        assert [d.name for d in client.devices.list()] == ["board"]
        assert client.devices.measure("board", MODEL).median_ms == 1.5
        assert client.devices.measure("board", MODEL, skip_cache=True).median_ms == 1.5
    assert [bytes(m) for m in profiler.models.values()] == [MODEL]
    first, second = profiler.created
    assert first.device == "devices/cpu" and first.request_id != second.request_id


@pytest.mark.parametrize(
    "broken", [Unavailable("the line broke"), ResourceExhausted("too many watch", retry_after_s=0.01)]
)
def test_a_watch_that_breaks_asks_for_the_same_measurement(
    profiler: Profiler, address: str, broken: DonnaError
) -> None:
    breaks = iter([True, True])

    def fail() -> None:
        if next(breaks, False):
            raise broken

    profiler.on_watch = fail
    with client_of(address) as client:
        assert client.devices.measure("board", MODEL).median_ms == 1.5
    assert len({request.request_id for request in profiler.created}) == 1 and len(profiler.known) == 1


def test_what_a_profiler_has_lost_is_sent_again(profiler: Profiler, address: str) -> None:
    losses = iter(["everything", "the model"])

    def lose() -> None:
        lost = next(losses, "")
        if lost:
            profiler.models.clear()
        if lost == "everything":
            profiler.known.clear()
            raise NotFound("measurements/0 does not exist")
        if lost == "the model":
            for known in profiler.known.values():
                known.job.CopyFrom(common_pb2.Job(state=common_pb2.JOB_STATE_FAILED))
                known.job.error.reason = "MODEL_MISSING"

    profiler.on_watch = lose
    with client_of(address) as client:
        assert client.devices.measure("board", MODEL).median_ms == 1.5
    assert len({request.request_id for request in profiler.created}) == 3


def test_a_device_that_has_changed_is_asked_anew(profiler: Profiler, address: str) -> None:
    def change() -> None:
        if len(profiler.created) == 1:
            profiler.used.update(profiler.known)
            raise Unavailable("the line broke")

    profiler.on_watch = change
    with client_of(address) as client:
        assert client.devices.measure("board", MODEL).median_ms == 1.5
    first, again, anew = (request.request_id for request in profiler.created)
    assert first == again != anew


@pytest.mark.parametrize("start", [0, 5, len(MODEL) - 1, len(MODEL)])
def test_an_upload_goes_on_and_never_without_a_piece(start: int) -> None:
    sent = list(chunks(MODEL, "digest", start))
    begun = start % len(MODEL)
    assert sent[0].offset == begun
    assert b"".join(chunk.data for chunk in sent) == MODEL[begun:]


def test_what_the_device_says_is_raised(profiler: Profiler, address: str) -> None:
    def fail() -> None:
        for known in profiler.known.values():
            known.job.CopyFrom(common_pb2.Job(state=common_pb2.JOB_STATE_FAILED))
            known.job.error.CopyFrom(common_pb2.Error(reason="TIMEOUT", message="took too long"))

    profiler.on_watch = fail
    with client_of(address) as client, pytest.raises(JobFailed, match="took too long") as failed:
        client.devices.measure("board", MODEL)
    assert failed.value.reason == "TIMEOUT" and len(profiler.created) == 1


def test_a_restart_in_the_middle_is_waited_for(profiler: Profiler) -> None:
    watched = threading.Event()

    def watch() -> None:
        profiler.lasting = not watched.is_set()
        watched.set()

    profiler.on_watch = watch
    with ThreadPoolExecutor(1) as pool:
        with serving(endpoint(profiler)) as address:
            client = client_of(address)
            measuring = pool.submit(client.devices.measure, "board", MODEL)
            assert watched.wait(30)
        assert not measuring.done()
        with client, serving(endpoint(profiler), listen=address):
            assert measuring.result(60).median_ms == 1.5
    assert len(profiler.known) == 1


def test_nobody_waits_for_a_process_that_is_known_to_have_ended(profiler: Profiler, address: str) -> None:
    def ended() -> None:
        raise Unavailable("the profiler has ended with code -9")

    def fail() -> None:
        raise Unavailable("the line broke")

    profiler.on_watch = fail
    with (
        client_of(address, while_away=ended) as client,
        pytest.raises(Unavailable, match="has ended with code -9"),
    ):
        client.devices.measure("board", MODEL)
