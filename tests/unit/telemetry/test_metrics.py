"""What a scrape tells: calls by their statuses, jobs and their costs, the service's own; and what no scrape may do."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from donna.errors import FailedPrecondition, InvalidArgument, NotFound, Unauthenticated
from donna.jobs import JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.jobs.lease import Leases
from donna.rpc.authentication import Gate, digest_of
from donna.rpc.calls import CallInterceptor
from donna.rpc.channel import Remote, open_channel
from donna.telemetry.metrics import COSTS, Calls, Metrics
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.unit.rpc.serving import NAME, Small, endpoint, serving


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobStore(engine)
    engine.dispose()


def value(calls: Calls, name: str, registry: CollectorRegistry, method: str, **labels: str) -> float:
    kind = "server_stream" if method.startswith("Watch") else "unary"
    every = {"grpc_type": kind, "grpc_service": NAME, "grpc_method": method, **labels}
    return registry.get_sample_value(name, every) or 0.0


def test_calls_are_counted_by_the_status_that_the_caller_saw() -> None:
    registry = CollectorRegistry()
    calls, servicer = Calls(registry), Small()

    def missing(_: Any) -> None:
        raise NotFound("there is none")

    def defect(_: Any) -> None:
        raise ZeroDivisionError

    def handled(method: str, code: str) -> float:
        return value(calls, "grpc_server_handled_total", registry, method, grpc_code=code)

    interceptors = [CallInterceptor(calls)]
    gate = Gate(lambda: {digest_of("s3cret"): "client"})
    with serving(endpoint(servicer), interceptors=interceptors, gate=gate) as address:
        with open_channel(address) as channel:
            remote = Remote(ProfilerServiceStub, channel, token="s3cret", deadline_s=30)
            remote.GetDevice(pb.GetDeviceRequest())
            remote.ListDevices(pb.ListDevicesRequest())
            servicer.answer = missing
            with pytest.raises(NotFound):
                remote.GetDevice(pb.GetDeviceRequest())
            with pytest.raises(NotFound):
                list(remote.WatchMeasurement(pb.WatchMeasurementRequest()))
            servicer.answer = defect
            with pytest.raises(Exception, match="defect"):
                remote.GetDevice(pb.GetDeviceRequest())
            servicer.answer = lambda _: None
            list(remote.WatchMeasurement(pb.WatchMeasurementRequest()))
            with pytest.raises(Unauthenticated):
                Remote(ProfilerServiceStub, channel, deadline_s=30).GetDevice(pb.GetDeviceRequest())
            with pytest.raises(grpc.RpcError):  # a name of the caller's own makes no metric
                channel.unary_unary("/donna.v1.ProfilerService/Invented")(b"")
    found = {code: handled("GetDevice", code) for code in ("OK", "NOT_FOUND", "INTERNAL", "UNAUTHENTICATED")}
    assert found == {"OK": 1, "NOT_FOUND": 1, "INTERNAL": 1, "UNAUTHENTICATED": 1}
    assert handled("ListDevices", "OK") == 1
    assert (handled("WatchMeasurement", "OK"), handled("WatchMeasurement", "NOT_FOUND")) == (1, 1)
    assert value(calls, "grpc_server_started_total", registry, "GetDevice") == 4
    assert value(calls, "grpc_server_handling_seconds_count", registry, "GetDevice") == 4
    assert value(calls, "grpc_server_handling_seconds_count", registry, "WatchMeasurement") == 0
    names = [sample.labels.get("grpc_method") for family in registry.collect() for sample in family.samples]
    assert "Invented" not in names


def scrape(address: str) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels."""
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=30).read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_tells_of_jobs_and_costs_and_survives_a_store_that_is_away(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics("searcher", store, ["searches"])
    address = metrics.serve("127.0.0.1:0")
    try:
        name = store.create("searches", {}, [TaskSpec(key="", spec={}), TaskSpec(key="", spec={})]).name
        leases = Leases(store, kind="searches", owner="me")
        task = leases.claim(name)
        assert task is not None
        leases.report(task, cost={"measurements": 5, "device_s": 1.5})
        found = scrape(address)
        assert found["donna_jobs", "searches", "RUNNING"] == 1
        assert found["donna_jobs", "searches", "FAILED"] == 0
        assert found["donna_tasks", "searches", "QUEUED"] == 1
        assert found["donna_measurements_total", "searches"] == 5
        assert found["donna_device_seconds_total", "searches"] == 1.5
        assert found["donna_store_up",] == 1
        assert not [key for key in found if name in key]

        def away(_: str) -> dict[Any, int]:
            raise ConnectionError("the database is away")

        monkeypatch.setattr(store, "count", away)
        found = scrape(address)
        assert found["donna_store_up",] == 0
        assert ("donna_jobs", "searches", "RUNNING") not in found
    finally:
        metrics.close()


def test_every_counter_of_the_ledger_has_a_metric() -> None:
    assert COSTS["block_epochs"] == "donna_block_epochs"
    assert (COSTS["device_s"], COSTS["compute_s"]) == ("donna_device_seconds", "donna_compute_seconds")
    assert len(set(COSTS.values())) == len(COSTS)


def test_wrong_addresses_are_refused(store: JobStore) -> None:
    first, second = Metrics("searcher", store, []), Metrics("searcher", store, [])
    with pytest.raises(InvalidArgument, match="metrics_listen"):
        first.serve("9100")
    address = first.serve("127.0.0.1:0")
    try:
        with pytest.raises(FailedPrecondition, match="cannot serve metrics"):
            second.serve(address)
    finally:
        first.close()
    second.close()
