"""Every error of the tree travels over a real connection and comes back as itself."""

import inspect
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from donna import errors
from donna.jobs.lease import LeaseLost
from donna.rpc.channel import Remote, open_channel
from donna.rpc.status import CODES, to_status
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.unit.rpc.serving import Small, endpoint, serving

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.DonnaError) and kind is not errors.DonnaError
]
VIOLATIONS = (
    errors.Violation(field="space.blocks[2].name", description="must not be empty"),
    errors.Violation(field="größe_ms", description="must be positive, got -1 — 負"),
)


@pytest.fixture(scope="module")
def small() -> Small:
    return Small()


@pytest.fixture(scope="module")
def remote(small: Small) -> Iterator[Remote]:
    with serving(endpoint(small)) as address, open_channel(address) as channel:
        yield Remote(ProfilerServiceStub, channel, deadline_s=30)


def caught(small: Small, remote: Remote, error: Exception, rpc: str = "GetDevice") -> errors.DonnaError:
    """What the client gets when the servicer raises this."""

    def fail(request: object) -> None:
        raise error

    def call() -> None:
        answer = getattr(remote, rpc)(getattr(pb, f"{rpc}Request")())
        if rpc == "WatchMeasurement":
            list(answer)

    small.answer = fail
    with pytest.raises(errors.DonnaError) as found:
        call()
    return found.value


def test_every_class_has_a_code_of_its_own() -> None:
    assert set(CODES) == set(CLASSES)
    assert len(set(CODES.values())) == len(CODES)


@pytest.mark.parametrize("rpc", ["GetDevice", "ListDevices", "WatchMeasurement"])
@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not errors.Unavailable])
def test_every_class_comes_back(
    small: Small, remote: Remote, kind: type[errors.DonnaError], rpc: str
) -> None:
    sent = kind(
        "accuracy 1.5 is not in 0..1",
        reason="OUT_OF_RANGE",
        violations=VIOLATIONS,
        metadata={"value": "1.5", "naïve": "ü"},
        retry_after_s=2.5,
    )
    got = caught(small, remote, sent, rpc)
    assert type(got) is kind
    assert (got.message, got.reason, got.violations, got.metadata, got.retry_after_s) == (
        sent.message,
        sent.reason,
        sent.violations,
        sent.metadata,
        sent.retry_after_s,
    )


def test_what_is_away_is_tried_again_by_the_channel(small: Small, remote: Remote) -> None:
    calls = []

    def away_twice(request: object) -> None:
        calls.append(request)
        if len(calls) < 3:
            raise errors.Unavailable("the device is asleep", reason="ASLEEP")

    small.answer = away_twice
    assert remote.GetDevice(pb.GetDeviceRequest(name="devices/1")).device.name == "devices/1"
    assert len(calls) == 3
    got = caught(small, remote, errors.Unavailable("the device is asleep", reason="ASLEEP", retry_after_s=9))
    assert (type(got), got.reason, got.retry_after_s) == (errors.Unavailable, "ASLEEP", 9.0)


def test_a_plain_error_has_its_default_reason_and_nothing_else(small: Small, remote: Remote) -> None:
    got = caught(small, remote, errors.NotFound("searches/1 does not exist"))
    assert (got.reason, got.violations, got.metadata, got.retry_after_s) == ("NOT_FOUND", (), {}, None)


def test_a_subclass_comes_back_as_its_ancestor(small: Small, remote: Remote) -> None:
    got = caught(small, remote, LeaseLost("given to another worker"))
    assert (type(got), got.reason) == (errors.Cancelled, "LEASE_LOST")


def test_the_root_itself_is_internal() -> None:
    assert to_status(errors.DonnaError("?")).code == CODES[errors.Internal]


@pytest.mark.parametrize("rpc", ["GetDevice", "ListDevices", "WatchMeasurement"])
@pytest.mark.parametrize("defect", [KeyError("/secret/path"), ValueError("secret"), StopIteration("secret")])
def test_a_defect_is_internal_without_details(
    small: Small, remote: Remote, defect: Exception, rpc: str
) -> None:
    got = caught(small, remote, defect, rpc)
    assert type(got) is errors.Internal
    assert got.message == "the service failed by a defect; its log has the details"
    assert (got.metadata, got.violations) == ({}, ())


def test_a_stream_gives_what_came_before_the_error(small: Small, remote: Remote) -> None:
    def fail(request: object) -> None:
        raise errors.DataLoss("the disk is damaged")

    small.answer = fail
    responses = remote.WatchMeasurement(pb.WatchMeasurementRequest())
    assert next(responses).measurement.name == "first"
    with pytest.raises(errors.DataLoss, match="the disk is damaged"):
        next(responses)


@pytest.mark.parametrize("text", ["x" * 100_000, "é" * 50_000, "負" * 50_000, "😀\x00\n%" * 20_000])
def test_however_long_it_fits_into_the_trailer(small: Small, remote: Remote, text: str) -> None:
    sent = errors.InvalidArgument(
        text,
        violations=[errors.Violation(field=f"f{n}{text}", description=text) for n in range(1000)],
        metadata={f"{n}{text}": text for n in range(100)},
    )
    got = caught(small, remote, sent)
    assert type(got) is errors.InvalidArgument
    assert got.reason == "INVALID_ARGUMENT"
    assert got.message.endswith("…")
    assert text.startswith(got.message[:-1])
    assert len(got.message) >= 100
    assert got.violations[0].field.startswith("f0")
    assert got.metadata


@given(
    message=st.text(min_size=1, max_size=200),
    values=st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=3),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(small: Small, remote: Remote, message: str, values: dict[str, str]) -> None:
    got = caught(small, remote, errors.NotFound(message, metadata=values))
    assert (type(got), got.message, got.metadata) == (errors.NotFound, message, values)


def test_texts_that_are_no_unicode_and_values_that_are_no_texts_are_told_anyway() -> None:
    error = errors.NotFound("file \udcff", metadata={"n": 3})  # type: ignore[dict-item]
    status = status_pb2.Status.FromString(to_status(error).SerializeToString())
    assert status.message == "file ?"


def test_an_error_of_the_transport_has_a_class_too() -> None:
    with open_channel("127.0.0.1:1") as channel:
        remote = Remote(ProfilerServiceStub, channel, deadline_s=20)
        with pytest.raises(errors.Unavailable):
            remote.GetDevice(pb.GetDeviceRequest())


def test_a_server_that_is_restarted_is_waited_for_when_it_was_there_before() -> None:
    request = pb.GetDeviceRequest(name="devices/1")
    with serving(endpoint(Small())) as address, open_channel(address) as channel:
        remote = Remote(ProfilerServiceStub, channel, deadline_s=20, patience_s=30)
        assert remote.GetDevice(request).device.name == "devices/1"
    answers: list[str] = []
    with open_channel(address) as channel, ThreadPoolExecutor(1) as pool:
        stranger = Remote(ProfilerServiceStub, channel, deadline_s=20, patience_s=30)
        with pytest.raises(errors.Unavailable):
            stranger.GetDevice(request)
        stranger._line.answered = True
        waiting = pool.submit(lambda: answers.append(stranger.GetDevice(request).device.name))
        time.sleep(6)  # longer than the channel itself tries
        assert not waiting.done()
        with serving(endpoint(Small()), listen=address):
            waiting.result(30)
    assert answers == ["devices/1"]


def test_one_that_says_when_to_come_back_is_asked_again_then() -> None:
    refusals = iter([errors.ResourceExhausted("too many jobs", retry_after_s=0.2)] * 2)
    small, asked = Small(), []

    def refuse(request: object) -> None:
        asked.append(time.monotonic())
        if (error := next(refusals, None)) is not None:
            raise error

    small.answer = refuse
    request = pb.GetDeviceRequest(name="devices/1")
    with serving(endpoint(small)) as address, open_channel(address) as channel:
        with pytest.raises(errors.ResourceExhausted, match="too many jobs"):
            Remote(ProfilerServiceStub, channel, deadline_s=20).GetDevice(request)  # it has no patience
        patient = Remote(ProfilerServiceStub, channel, deadline_s=20, patience_s=10)
        assert patient.GetDevice(request).device.name == "devices/1"
        assert asked[-1] - asked[-2] >= 0.2
        told: list[str] = []
        refusals = iter([errors.ResourceExhausted("too many jobs", retry_after_s=60.0)])
        hasty = Remote(ProfilerServiceStub, channel, patience_s=10, while_away=lambda: told.append("waiting"))
        with pytest.raises(errors.ResourceExhausted):  # that is longer than it would wait
            hasty.GetDevice(request)
        assert not told


def test_a_request_that_is_a_stream_is_sent_once() -> None:
    """What was taken from an iterator is gone: sent again, it would be a shorter upload that passes for a whole one."""
    calls: list[int] = []

    class Upload(grpc.StreamUnaryMultiCallable):
        def __call__(self, request_iterator: Any, **_: Any) -> Any:
            calls.append(len(list(request_iterator)))
            raise Broken

        future = with_call = None  # type: ignore[assignment]

    class Broken(grpc.RpcError):
        code = lambda self: grpc.StatusCode.UNAVAILABLE  # noqa: E731
        details = trailing_metadata = lambda self: None

    remote = Remote(lambda channel: SimpleNamespace(UploadModel=Upload()), Any, patience_s=10)
    remote._line.answered = True
    with pytest.raises(errors.Unavailable):
        remote.UploadModel(iter([1, 2, 3]))
    assert calls == [3]


def test_a_method_that_the_service_lacks(remote: Remote) -> None:
    with pytest.raises(errors.Internal) as found:
        remote.GetMeasurement(pb.GetMeasurementRequest())
    assert not isinstance(found.value, grpc.RpcError)
    with pytest.raises(AttributeError):
        remote.Unheard()
