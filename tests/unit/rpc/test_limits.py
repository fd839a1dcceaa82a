"""What is over a limit is refused at once, with a hint when to come back; what is in hand goes on."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from donna.artifacts import ArtifactStore
from donna.errors import DeadlineExceeded, NotFound, ResourceExhausted
from donna.jobs import JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.rpc.artifact_servicer import artifact_endpoint
from donna.rpc.authentication import Gate
from donna.rpc.boundary import Boundary
from donna.rpc.channel import Remote, open_channel
from donna.rpc.limits import MOST, Limit
from donna.v1 import artifacts_pb2, common_pb2
from donna.v1 import profiler_pb2 as pb
from donna.v1.artifacts_pb2_grpc import ArtifactServiceStub
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.unit.jobs.clock import eventually
from tests.unit.rpc.serving import NAME, Small, endpoint, serving

DEVICE = pb.GetDeviceRequest(name="devices/1")


class Held:
    """A device that answers when it is told to; `calls` counts who got through to it."""

    def __init__(self) -> None:
        self.go, self.inside, self.calls = threading.Event(), threading.Semaphore(0), 0
        self.small = Small()
        self.small.answer = self._answer

    def _answer(self, request: pb.GetDeviceRequest) -> None:
        self.calls += 1
        self.inside.release()
        self.go.wait(30)


def test_calls_over_the_limit_are_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MOST, "calls", 3)
    held = Held()
    with (
        serving(endpoint(held.small)) as address,
        open_channel(address) as channel,
        ThreadPoolExecutor(3) as pool,
    ):
        remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
        calls = [pool.submit(remote.GetDevice, DEVICE) for _ in range(3)]
        for _ in calls:
            assert held.inside.acquire(timeout=30)
        with pytest.raises(ResourceExhausted, match="3 calls in hand") as caught:
            remote.GetDevice(DEVICE)
        assert (caught.value.reason, caught.value.retry_after_s) == ("TOO_MANY_CALLS", 1.0)
        held.go.set()
        assert [call.result().device.name for call in calls] == ["devices/1"] * 3
        assert remote.GetDevice(DEVICE).device.name == "devices/1"


def test_calls_whose_callers_have_gone_count_until_they_have_left_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each waits with its message for a thread: let go before, any number of them would."""
    monkeypatch.setitem(MOST, "calls", 3)
    monkeypatch.setattr("donna.rpc.boundary.UNARY_THREADS", 1)
    held = Held()
    with (
        serving(endpoint(held.small)) as address,
        open_channel(address) as channel,
        ThreadPoolExecutor(1) as pool,
    ):
        remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
        first = pool.submit(remote.GetDevice, DEVICE)
        assert held.inside.acquire(timeout=30)
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                remote.GetDevice(DEVICE, deadline_s=0.2)
        with pytest.raises(ResourceExhausted, match="3 calls in hand"):
            remote.GetDevice(DEVICE)
        held.go.set()
        assert first.result().device.name == "devices/1"

        def room() -> bool:
            try:
                return bool(remote.GetDevice(DEVICE))
            except ResourceExhausted:
                return False

        eventually(room)
        assert held.calls == 2  # nobody worked for those who had gone


def never(*first: Any) -> Iterator[Any]:
    """Requests of a caller who sends these, and then nothing more for as long as it is connected."""
    yield from first
    threading.Event().wait(30)


def test_a_request_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("donna.rpc.boundary.MESSAGE_S", 0.2)
    with serving(endpoint(Small())) as address, grpc.insecure_channel(address) as channel:
        for method in ("GetDevice", "WatchMeasurement"):
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(f"/{NAME}/{method}")(never(), timeout=30)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "did not come within 0.2 s" in (caught.value.details() or "")
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(f"/{NAME}/{method}")(iter(()), timeout=30)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_upload_that_stops_in_the_middle_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("donna.rpc.artifact_servicer.IDLE_S", 0.2)
    first = artifacts_pb2.UploadArtifactRequest(
        chunk=common_pb2.Chunk(sha256="0" * 64, total_bytes=2, data=b"x")
    )
    with serving(artifact_endpoint(ArtifactStore(tmp_path))) as address, open_channel(address) as channel:
        remote = Remote(ArtifactServiceStub, channel, deadline_s=30)
        for sent in ((), (first,)):
            with pytest.raises(DeadlineExceeded, match=r"nothing more of the upload came for 0.2 s"):
                remote.UploadArtifact(never(*sent))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_kind_of_call_takes_room_from_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Watches and uploads are at their limits, and all other calls are answered."""
    for kind in ("watches", "uploads"):
        monkeypatch.setitem(MOST, kind, 2)
    store, artifacts = JobStore(open_database(f"sqlite:///{tmp_path / 'jobs.db'}")), ArtifactStore(tmp_path)
    name = store.create("measurements", {}, [TaskSpec(key="", spec={})]).name
    request = pb.WatchMeasurementRequest(name=name)
    stored = artifacts.put_bytes(b"stored")
    with (
        serving(endpoint(Small(store)), artifact_endpoint(artifacts)) as address,
        open_channel(address) as channel,
    ):
        remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
        files = Remote(ArtifactServiceStub, channel, deadline_s=30)
        chunk = common_pb2.Chunk(sha256=stored.sha256, total_bytes=6, data=b"stored")
        whole = [artifacts_pb2.UploadArtifactRequest(chunk=chunk)]
        watches = [remote.WatchMeasurement(request) for _ in range(2)]
        for watch in watches:
            next(watch)
        with pytest.raises(ResourceExhausted, match="2 watches in hand") as caught:
            next(remote.WatchMeasurement(request))
        assert (caught.value.reason, caught.value.retry_after_s) == ("TOO_MANY_WATCHES", 1.0)
        assert remote.GetDevice(DEVICE).device.name == "devices/1"
        assert files.UploadArtifact(iter(whole)).artifact.sha256 == stored.sha256

        slow = [
            ArtifactServiceStub(channel).UploadArtifact.future(never(*whole), timeout=60) for _ in range(2)
        ]
        eventually(lambda: len(list(tmp_path.glob(".incoming-*"))) == 2)
        with pytest.raises(ResourceExhausted, match="2 uploads in hand"):
            files.UploadArtifact(iter(whole))
        (answer,) = files.DownloadArtifact(artifacts_pb2.DownloadArtifactRequest(sha256=stored.sha256))
        assert answer.chunk.data == b"stored"
        assert remote.GetDevice(DEVICE).device.name == "devices/1"
        for upload in slow:
            upload.cancel()
        watches[0].close()

        def room() -> bool:
            try:
                files.UploadArtifact(iter(whole))
                return bool(next(remote.WatchMeasurement(request)))
            except ResourceExhausted:
                return False

        eventually(room)
    store.engine.dispose()


def test_probes_need_no_token_and_so_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MOST, "probes", 2)
    with serving(endpoint(Small())) as address, open_channel(address) as channel:
        health, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
        lasting = [health.Watch(request, timeout=60) for _ in range(2)]
        assert [next(watch).status for watch in lasting] == [health_pb2.HealthCheckResponse.SERVING] * 2
        with pytest.raises(grpc.RpcError) as caught:
            health.Check(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert Remote(ProfilerServiceStub, channel, deadline_s=30).GetDevice(DEVICE).device.name
        lasting[0].cancel()

        def room() -> bool:
            try:
                return bool(health.Check(request, timeout=30))
            except grpc.RpcError:
                return False

        eventually(room)


def test_nobody_logs_what_a_caller_who_has_gone_would_have_been_told() -> None:
    """However its going and the end of the call fall together."""
    loud: list[dict[str, Any]] = []

    class Context:
        async def read(self) -> bytes:
            return b""

    async def go(boundary: Boundary, turns: int) -> None:
        begun, ended = threading.Event(), threading.Event()

        def method(_message: Any, _context: Any) -> None:
            begun.set()
            ended.wait(30)
            raise NotFound("there is no such device")

        handler = SimpleNamespace(unary_unary=method, request_deserializer=bytes)
        limit = Limit(1, "calls")
        limit.take()
        call = asyncio.create_task(boundary._in_a_thread(handler, limit, Context()))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        if turns < 0:
            call.cancel()
            await asyncio.sleep(0.01)
        ended.set()
        time.sleep(0.05)  # the loop stands still, and hears of the end only afterwards
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        with suppress(asyncio.CancelledError, NotFound):
            await call
        limit.take()  # the place is free again
        await asyncio.sleep(0.01)

    async def everything() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: loud.append(context))
        boundary = Boundary(Gate())
        for turns in range(-1, 4):
            await go(boundary, turns)
            gc.collect()
            await asyncio.sleep(0)
        boundary.close()

    asyncio.run(everything())
    assert not loud, loud[0]
