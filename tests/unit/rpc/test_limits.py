"""What is over a limit is refused at once, with a hint when to come back; what is in hand goes on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from donna.errors import ResourceExhausted
from donna.jobs import JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.rpc.channel import Remote, open_channel
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.unit.jobs.clock import eventually
from tests.unit.rpc.serving import Small, endpoint, serving


def test_calls_over_the_limit_are_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("donna.rpc.server.MAX_UNARY_CALLS", 3)
    small, go, inside = Small(), threading.Event(), threading.Semaphore(0)

    def answer(request: pb.GetDeviceRequest) -> None:
        inside.release()
        go.wait(30)

    small.answer = answer
    request = pb.GetDeviceRequest(name="devices/1")
    with serving(endpoint(small)) as address, open_channel(address) as channel, ThreadPoolExecutor(3) as pool:
        remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
        held = [pool.submit(remote.GetDevice, request) for _ in range(3)]
        for _ in held:
            assert inside.acquire(timeout=30)
        with pytest.raises(ResourceExhausted, match="3 calls in hand") as caught:
            remote.GetDevice(request)
        assert (caught.value.reason, caught.value.retry_after_s) == ("TOO_MANY_CALLS", 1.0)
        go.set()
        assert [call.result().device.name for call in held] == ["devices/1"] * 3
        assert remote.GetDevice(request).device.name == "devices/1"


def test_watchers_have_a_limit_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However many watch, they take no room from calls that answer at once."""
    monkeypatch.setattr("donna.rpc.server.MAX_STREAMS", 2)
    store = JobStore(open_database(f"sqlite:///{tmp_path / 'jobs.db'}"))
    name = store.create("measurements", {}, [TaskSpec(key="", spec={})]).name
    request = pb.WatchMeasurementRequest(name=name)
    with serving(endpoint(Small(store))) as address, open_channel(address) as channel:
        remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
        watches = [remote.WatchMeasurement(request) for _ in range(2)]
        for watch in watches:
            next(watch)
        with pytest.raises(ResourceExhausted, match="2 streams in hand") as caught:
            next(remote.WatchMeasurement(request))
        assert caught.value.retry_after_s == 1.0
        assert remote.GetDevice(pb.GetDeviceRequest(name="devices/1")).device.name == "devices/1"
        watches[0].close()

        def room() -> bool:
            try:
                return bool(next(remote.WatchMeasurement(request)))
            except ResourceExhausted:
                return False

        eventually(room)
    store.engine.dispose()
