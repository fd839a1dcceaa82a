"""Who may call, what runs beside what, and what health says."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from donna.artifacts import ArtifactStore
from donna.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from donna.jobs import JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.jobs.lease import Leases
from donna.rpc.artifact_servicer import artifact_endpoint
from donna.rpc.authentication import Gate, check_listen, digest_of, is_loopback
from donna.rpc.channel import Remote, open_channel
from donna.rpc.limits import MAX_MESSAGE_BYTES
from donna.rpc.server import HEALTH, Server
from donna.v1 import common_pb2
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.unit.jobs.clock import eventually
from tests.unit.rpc.serving import NAME, Small, endpoint, serving

TOKEN = "s3cret"
GATE = Gate(lambda: {digest_of(TOKEN): "client"})
SERVING = health_pb2.HealthCheckResponse.SERVING
QUEUED, CANCELLED = common_pb2.JOB_STATE_QUEUED, common_pb2.JOB_STATE_CANCELLED
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobStore(engine)
    engine.dispose()


def ask(address: str, **more: Any) -> str:
    with open_channel(address) as channel:
        remote = Remote(ProfilerServiceStub, channel, **{"deadline_s": 30, **more})
        return str(remote.GetDevice(pb.GetDeviceRequest(name="devices/1")).device.name)


def health(address: str, service: str = "") -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=30).status)


def test_only_who_has_the_token_may_call() -> None:
    with serving(endpoint(Small()), gate=GATE) as address:
        assert ask(address, token=TOKEN) == "devices/1"
        for wrong in ("", "s3cre", "s3crett", "S3CRET"):
            with pytest.raises(Unauthenticated, match="the call carries no valid bearer token"):
                ask(address, token=wrong)
        with open_channel(address) as channel:
            stranger = Remote(ProfilerServiceStub, channel)
            with pytest.raises(Unauthenticated):
                next(stranger.WatchMeasurement(pb.WatchMeasurementRequest()))
        assert health(address) == SERVING  # probes have no token


def test_nothing_is_read_of_who_may_not_call() -> None:
    """Else whoever reaches the port fills the memory with messages that are never answered."""

    def endless() -> Iterator[bytes]:
        threading.Event().wait(30)
        yield b""

    with serving(endpoint(Small()), gate=GATE) as address, grpc.insecure_channel(address) as channel:
        for method in ("GetDevice", "WatchMeasurement", "UploadModel"):
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(f"/{NAME}/{method}")(endless(), timeout=20)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        big = bytes(MAX_MESSAGE_BYTES - 1)  # one that is on its way already
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{NAME}/GetDevice")(big, timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:0", True),
        ("127.8.9.1:70", True),
        ("[::1]:7000", True),
        ("localhost:7000", True),
        ("0.0.0.0:7000", False),
        ("[::]:7000", False),
        ("192.168.1.2:7000", False),
        ("localhost.evil.example:7000", False),
        ("127.0.0.1.evil.example:7000", False),
    ],
)
def test_without_authentication_only_loopback_is_served(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
    check_listen(address, authenticated=True)
    if loopback:
        Server([], listen=address, healthy=lambda: True)
        return
    with pytest.raises(InvalidArgument) as caught:
        Server([], listen=address, healthy=lambda: True)
    assert [violation.field for violation in caught.value.violations] == ["listen"]
    Server([], listen=address, healthy=lambda: True, gate=GATE)
    Server([], listen=address, healthy=lambda: True, gate=Gate(certificates=True))


@pytest.mark.parametrize("address", ["", "127.0.0.1", ":7000", "127.0.0.1:http", "127.0.0.1:-1"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InvalidArgument, match="must be host:port"):
        check_listen(address, authenticated=True)


def test_an_address_that_is_taken_is_a_sentence() -> None:
    with (
        serving() as address,
        pytest.raises(FailedPrecondition, match=f"cannot listen on {address}"),
        serving(listen=address),
    ):
        pass


def test_bytes_that_are_no_message_are_the_callers_error() -> None:
    with serving(endpoint(Small())) as address, grpc.insecure_channel(address) as channel:
        for rpc in (channel.unary_unary(f"/{NAME}/GetDevice"), channel.unary_unary(f"/{NAME}/ListDevices")):
            with pytest.raises(grpc.RpcError) as caught:
                rpc(b"\xff\xff\xff", timeout=30)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.unary_stream(f"/{NAME}/WatchMeasurement")(b"\xff\xff\xff", timeout=30))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_above_the_cap_is_refused_and_the_server_goes_on() -> None:
    with serving(endpoint(Small())) as address, grpc.insecure_channel(address) as channel:
        stub = ProfilerServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetDevice(pb.GetDeviceRequest(name="x" * (MAX_MESSAGE_BYTES + 1)), timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ask(address) == "devices/1"


def test_a_deadline_ends_the_call_for_the_caller() -> None:
    small, go = Small(), threading.Event()
    small.answer = lambda request: go.wait(30)
    with serving(endpoint(small)) as address:
        with pytest.raises(DeadlineExceeded):
            ask(address, deadline_s=0.2)
        go.set()
        assert ask(address) == "devices/1"


def test_a_deadline_ends_a_stream(store: JobStore) -> None:
    job = store.create("measurements", {}, [TaskSpec(key="", spec={})])
    with serving(endpoint(Small(store))) as address, open_channel(address) as channel:
        watch = Remote(ProfilerServiceStub, channel).WatchMeasurement(
            pb.WatchMeasurementRequest(name=job.name), deadline_s=0.5
        )
        with pytest.raises(DeadlineExceeded):
            list(watch)


def test_two_hundred_watchers_leave_room_for_others_and_hear_of_every_end(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.create("measurements", {}, [TaskSpec(key="", spec={})])
    other = store.create("measurements", {}, [TaskSpec(key="", spec={})])
    small = Small(store)
    reads, get = [], store.get

    def counted(name: str) -> Any:
        reads.append(name)
        return get(name)

    monkeypatch.setattr(store, "get", counted)

    async def watch(stub: Any, started: asyncio.Semaphore) -> list[int]:
        states = []
        async for response in stub.WatchMeasurement(pb.WatchMeasurementRequest(name=job.name), timeout=60):
            states.append(response.measurement.job.state)
            started.release()
        return states

    async def everything(address: str) -> list[list[int]]:
        async with grpc.aio.insecure_channel(address) as channel:
            stub, started = ProfilerServiceStub(channel), asyncio.Semaphore(0)
            watching = [asyncio.create_task(watch(stub, started)) for _ in range(200)]
            for _ in range(200):
                await started.acquire()
            # Twice the threads that unary calls have, with all watchers in place.
            for _ in range(32):
                await asyncio.to_thread(ask, address)
            before = len(reads)
            await asyncio.to_thread(store.cancel, job.name)
            states = await asyncio.gather(*watching)
            assert reads[before:].count(job.name) <= 3  # one for all watchers, and those of `cancel` itself
            return states

    with serving(endpoint(small)) as address:
        states = asyncio.run(everything(address))
        assert states == [[QUEUED, CANCELLED]] * 200
        with open_channel(address) as channel:
            late = Remote(ProfilerServiceStub, channel)
            assert len(list(late.WatchMeasurement(pb.WatchMeasurementRequest(name=job.name)))) == 1
            gone = late.WatchMeasurement(pb.WatchMeasurementRequest(name=other.name))
            next(gone)
            eventually(lambda: small.watcher.watched == {other.name})
            gone.close()
        eventually(lambda: not small.watcher.watched)


def test_a_server_that_stops_does_not_wait_for_watchers(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("donna.rpc.server.GRACE_S", 1000.0)  # more than `serving` waits for the end
    job = store.create("measurements", {}, [TaskSpec(key="", spec={})])
    with ExitStack() as open_after:
        with serving(endpoint(Small(store))) as address:
            channel = open_after.enter_context(open_channel(address))
            watch = Remote(ProfilerServiceStub, channel).WatchMeasurement(
                pb.WatchMeasurementRequest(name=job.name)
            )
            next(watch)
        with pytest.raises(Unavailable, match="the service stops"):
            next(watch)


def test_a_watcher_of_a_deleted_job_hears_of_it(store: JobStore) -> None:
    job = store.create("measurements", {}, [TaskSpec(key="", spec={})])
    with serving(endpoint(Small(store))) as address, open_channel(address) as channel:
        remote = Remote(ProfilerServiceStub, channel)
        watch = remote.WatchMeasurement(pb.WatchMeasurementRequest(name=job.name))
        next(watch)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM jobs")  # at once, so that no end is seen before
        with pytest.raises(NotFound, match=job.name):
            list(watch)
        with pytest.raises(NotFound, match="measurements/none does not exist"):
            next(remote.WatchMeasurement(pb.WatchMeasurementRequest(name="measurements/none")))


def test_revisions_come_in_order_and_the_last_is_the_end(store: JobStore) -> None:
    job = store.create("measurements", {}, [TaskSpec(key="", spec={})])
    with serving(endpoint(Small(store))) as address, open_channel(address) as channel:
        watch = Remote(ProfilerServiceStub, channel).WatchMeasurement(
            pb.WatchMeasurementRequest(name=job.name)
        )
        first = next(watch)
        leases = Leases(store, kind="measurements", owner="a")
        task = leases.claim()
        assert task is not None
        seen = [first, next(watch)]
        leases.report(task, fraction=0.5, message="half")
        seen.append(next(watch))
        assert seen[-1].measurement.job.progress.message == "half"
        store.succeed(job.name, {})
        seen += watch
    revisions = [response.measurement.job.revision for response in seen]
    assert revisions == sorted(set(revisions))
    assert seen[-1].measurement.job.state == common_pb2.JOB_STATE_SUCCEEDED


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_health_tells_when_the_store_is_gone(store: JobStore, tmp_path: Path) -> None:
    def healthy() -> bool:
        store.check()
        return True

    probes = free_address()
    with serving(endpoint(Small()), healthy=healthy, health_listen=probes) as address:
        assert (health(probes), health(probes, NAME)) == (SERVING, SERVING)
        assert (health(address), health(address, NAME)) == (SERVING, SERVING)
        with pytest.raises(grpc.RpcError) as caught:
            health(address, "donna.v1.Unheard")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        hidden = tmp_path / "hidden"
        (tmp_path / "jobs.db").rename(hidden)
        eventually(lambda: health(address, NAME) == NOT_SERVING)
        assert health(probes) == NOT_SERVING
        hidden.rename(tmp_path / "jobs.db")
        eventually(lambda: health(address) == SERVING)
        assert health(probes) == SERVING


def test_probes_are_answered_whoever_holds_calls_open() -> None:
    """Their port needs no token: who could keep the cluster from asking could have every pod restarted."""
    probes, stop = free_address(), threading.Event()

    def endless() -> Iterator[bytes]:
        stop.wait(30)
        yield b""

    with serving(endpoint(Small()), gate=GATE, health_listen=probes), ExitStack() as held:
        held.callback(stop.set)
        connection_of_its_own = [("grpc.use_local_subchannel_pool", 1)]
        calls = []  # one that is forgotten is cancelled
        for _ in range(15):
            channel = held.enter_context(grpc.insecure_channel(probes, connection_of_its_own))
            calls += [
                channel.stream_unary(f"/{HEALTH}/Check").future(endless(), timeout=30) for _ in range(10)
            ]
        with grpc.insecure_channel(probes) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
            with pytest.raises(grpc.RpcError) as caught:
                next(watch)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            for method in (f"/{NAME}/GetDevice", f"/{reflection_pb2.DESCRIPTOR.package}.ServerReflection/x"):
                with pytest.raises(grpc.RpcError) as caught:
                    channel.unary_unary(method)(b"", timeout=30)
                assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert health(probes) == SERVING
        assert not any(call.done() for call in calls)


def test_health_tells_when_an_answer_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("donna.rpc.server.HEALTH_TIMEOUT_S", 0.1)
    stuck, go = threading.Event(), threading.Event()

    def healthy() -> bool:
        return not stuck.is_set() or go.wait(60)

    with serving(endpoint(Small()), healthy=healthy) as address:
        assert health(address) == SERVING
        stuck.set()
        eventually(lambda: health(address) == NOT_SERVING)
        assert ask(address) == "devices/1"
        go.set()
        eventually(lambda: health(address) == SERVING)


def test_health_says_nothing_good_before_it_knows() -> None:
    address = free_address()
    asked, go = threading.Event(), threading.Event()

    def healthy() -> bool:
        asked.set()
        return go.wait(30)

    def serve() -> None:
        with serving(endpoint(Small()), healthy=healthy, listen=address):
            eventually(lambda: health(address) == SERVING)

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        assert asked.wait(30)
        try:
            assert (health(address), health(address, NAME)) == (NOT_SERVING, NOT_SERVING)
        finally:
            go.set()
        served.result()


def test_reflection_lists_the_services(tmp_path: Path) -> None:
    with (
        serving(endpoint(Small()), artifact_endpoint(ArtifactStore(tmp_path))) as address,
        grpc.insecure_channel(address) as channel,
    ):
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=30)
        names = {service.name for service in answer.list_services_response.service}
    assert names == {
        "donna.v1.ProfilerService",
        "donna.v1.ArtifactService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
