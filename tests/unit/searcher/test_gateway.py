"""Profilers through the searcher: the same answers and the same refusals as from themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from donna.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from donna.rpc.authentication import Gate, digest_of
from donna.rpc.channel import PROFILER, Peer, Remote, open_channel
from donna.v1 import common_pb2 as common
from donna.v1 import profiler_pb2 as pb
from donna.v1 import searcher_pb2
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from services.searcher.gateway import gateway_endpoint
from services.searcher.profilers import Profilers
from tests.unit.graphs import fragments as make
from tests.unit.profiler import agent
from tests.unit.rpc.serving import Small, endpoint, serving

DEVICE = pb.GetDeviceRequest(name="devices/1")
WATCH = pb.WatchMeasurementRequest(name="measurements/1")


@contextmanager
def remote_at(address: str, profiler: str = "lab", token: str = "") -> Iterator[Remote]:
    metadata = ((PROFILER, profiler),) if profiler else ()
    with open_channel(address) as channel:
        yield Remote(ProfilerServiceStub, channel, token=token, deadline_s=20.0, metadata=metadata)


@contextmanager
def gateway(profilers: Profilers, profiler: str = "lab") -> Iterator[Remote]:
    with serving(gateway_endpoint(profilers)) as address, remote_at(address, profiler) as remote:
        yield remote


def at(address: str, token: str = "") -> Profilers:
    return Profilers({"lab": Peer(address=address, token=token)})


def test_a_model_is_measured_with_the_address_of_the_searcher_alone(tmp_path, searcher) -> None:
    with agent.service("profiler", tmp_path / "agent", CANARY_EVERY="0") as address:
        service = searcher(profilers=f"lab={address}")
        listed = service.remote.ListSearchDevices(searcher_pb2.ListSearchDevicesRequest())
        (device,) = listed.search_devices
        assert (device.name, device.profiler, device.device) == ("lab", "lab", "devices/local")
        with remote_at(service.address, device.profiler) as remote:
            network = agent.whole(agent.upload(remote, make.conv(3, 4, 8).SerializeToString(), piece=1000))
            measurement = agent.finished(remote, agent.create(remote, network, device=device.device))
    assert measurement.job.state == common.JOB_STATE_SUCCEEDED, measurement.job.error
    assert measurement.result.median_ms > 0


def test_what_the_profiler_says_comes_back_as_it_is() -> None:
    small = Small()
    with serving(endpoint(small)) as address, gateway(at(address)) as remote:
        assert remote.GetDevice(DEVICE).device.name == "devices/1"
        assert [r.measurement.name for r in remote.WatchMeasurement(WATCH)] == ["first", "second"]

        def refuse(request: Any) -> None:
            raise InvalidArgument.of("name", "is wrong")

        small.answer = refuse
        with pytest.raises(InvalidArgument) as refused:
            remote.GetDevice(DEVICE)
        assert [(v.field, v.description) for v in refused.value.violations] == [("name", "is wrong")]
        with pytest.raises(InvalidArgument, match="is wrong"):
            list(remote.WatchMeasurement(WATCH))
        ended = threading.Event()
        small.answer = lambda request: ended.wait(20) and None
        with pytest.raises(DeadlineExceeded):
            remote.GetDevice(DEVICE, deadline_s=0.3)
        ended.set()


def test_unknown_and_silent_profilers() -> None:
    with (
        gateway(at("127.0.0.1:1")) as remote,
        pytest.raises(Unavailable, match="lab does not answer") as away,
    ):
        remote.GetDevice(DEVICE)
    assert away.value.reason == "PROFILER_AWAY"
    assert "127.0.0.1" not in away.value.message
    with gateway(at("127.0.0.1:1"), "../lab") as remote, pytest.raises(NotFound, match=r"'\.\./lab'.*: lab$"):
        remote.GetDevice(DEVICE)
    with gateway(at("127.0.0.1:1"), "") as remote, pytest.raises(InvalidArgument, match="donna-profiler"):
        list(remote.WatchMeasurement(WATCH))


def test_roles_hold_and_the_profiler_sees_the_searchers_token_alone() -> None:
    here = Gate(lambda: {digest_of("hers"): "client", digest_of("his"): "reader", digest_of("its"): "agent"})
    there = Gate(lambda: {digest_of("ours"): "searcher"})
    with (
        serving(endpoint(Small()), gate=there) as address,
        serving(gateway_endpoint(at(address, "ours")), gate=here) as entrance,
        serving(gateway_endpoint(at(address, "stale")), gate=here) as mistaken,
    ):
        with remote_at(entrance, token="hers") as client:
            assert client.GetDevice(DEVICE).device.name == "devices/1"
        with remote_at(entrance, token="his") as reader:
            assert reader.GetDevice(DEVICE).device.name == "devices/1"
            with pytest.raises(PermissionDenied, match="the role reader may not call CreateMeasurement"):
                reader.CreateMeasurement(pb.CreateMeasurementRequest())
        with remote_at(entrance, token="its") as other, pytest.raises(PermissionDenied):
            other.GetDevice(DEVICE)
        with remote_at(entrance, token="ours") as stranger, pytest.raises(Unauthenticated):
            stranger.GetDevice(DEVICE)
        with (
            remote_at(mistaken, token="hers") as client,
            pytest.raises(FailedPrecondition, match="does not let this searcher in"),
        ):
            client.GetDevice(DEVICE)


def test_a_profiler_that_moves_is_reached_where_it_is() -> None:
    old, new, arrived, ended = Small(), Small(), threading.Event(), threading.Event()
    answered: list[str] = []

    def hang(request: Any) -> None:
        arrived.set()
        ended.wait(20)

    old.answer, new.answer = hang, lambda request: answered.append(request.name)
    with serving(endpoint(old)) as before, serving(endpoint(new)) as after:
        profilers = at(before)
        with gateway(profilers) as remote, ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(remote.GetDevice, pb.GetDeviceRequest(name="devices/waiting"))
            assert arrived.wait(20)
            profilers.add("lab", Peer(address=after))
            assert remote.GetDevice(DEVICE).device.name == "devices/1"
            # The call that waited at the old place was UNAVAILABLE, which the caller's channel tries again.
            assert waiting.result(10).device.name == "devices/waiting"
            ended.set()
    assert sorted(answered) == ["devices/1", "devices/waiting"]
