"""What is measured anew and what is known: the cache, a device that changes, the canary."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from donna.jobs.database import open_database
from donna.jobs.engine import Engine
from donna.jobs.store import JobStore
from donna.v1 import common_pb2
from donna.v1 import profiler_pb2 as pb
from services.profiler.canary import CanaryLog, canary_model
from services.profiler.description import Descriptions
from services.profiler.device import Identity
from services.profiler.devices import Devices
from services.profiler.measurement import Measured
from services.profiler.models import ModelStore
from services.profiler.servicer import ProfilerServicer
from services.profiler.turns import Turns
from services.profiler.work import MeasurementWork
from tests.unit.graphs import fragments as make
from tests.unit.profiler import agent
from tests.unit.profiler.test_models import put, sha
from tests.unit.profiler.test_turns import until

GOOD = make.conv(3, 4, 8).SerializeToString()


def identity(name: str) -> Identity:
    return Identity(id=name, kind="k", backend="none", description="", providers=("CPU",))


IDENTITY = identity("a")


@dataclass
class Scripted:
    """A device that takes `latency_ms`, under whatever driver it has just now."""

    identity: Identity = IDENTITY
    driver: str = "1"
    latency_ms: float = 1.0
    measured: list[bytes] = field(default_factory=list)
    wait_s: float = 0.0
    turns: int = 0
    canary_ms: float = 0.0

    def fingerprint(self):
        return {"driver": self.driver}

    def state(self):
        return {"temperature_c": "30.0"}

    def unavailable_reason(self):
        return ""

    @contextmanager
    def turn(self, check):
        time.sleep(self.wait_s)
        self.turns += 1
        yield

    def measure(self, model, settings, check):
        check()
        self.measured.append(model)
        return Measured(
            samples_ms=(self.latency_ms,) * 5,
            attempts=1,
            unstable=False,
            load_ms=1.0,
            peak_memory_bytes=1,
            network_memory_bytes=1,
            nodes_by_provider={},
            canary_ms=self.canary_ms,
            per_canary=self.latency_ms / self.canary_ms if self.canary_ms else 0.0,
        )

    def close(self):
        pass


@pytest.fixture
def device():
    return Scripted()


@pytest.fixture
def parts(tmp_path, device):
    """(engine, servicer) over the device, with one model in the store and a canary before every third one."""
    database = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    store, devices = JobStore(database), Devices([device])
    models = ModelStore(tmp_path / "models", quota_bytes=1 << 20)
    put(models, GOOD)
    canaries = CanaryLog(tmp_path / "canary.json", every=3)
    work = MeasurementWork(devices, models, canaries)
    turns = Turns(store, work, ["devices/a"])
    engine = Engine(store, work, turns)
    yield engine, ProfilerServicer(engine, devices, Descriptions([device]), turns, models, canaries)
    if engine.alive:
        engine.close()
    database.dispose()


def ask(servicer, **told):
    request = pb.CreateMeasurementRequest(network=agent.whole(sha(GOOD)), **told)
    return servicer.CreateMeasurement(request, None).measurement


def ended(engine, measurement):
    until(lambda: engine.store.get(measurement.name).state.ended)
    return engine.store.get(measurement.name)


def test_a_new_driver_makes_every_figure_a_new_one(parts, device):
    engine, servicer = parts
    engine.start()
    first = ended(engine, ask(servicer))
    assert ask(servicer).cached
    device.driver, device.latency_ms = "2", 5.0
    again = ask(servicer)
    assert not again.cached
    found = ended(engine, again).result
    assert found["median_ms"] == 5.0
    assert found["fingerprint_sha256"] != first.result["fingerprint_sha256"]
    device.driver = "1"
    assert ask(servicer).result.median_ms == 1.0  # what was known of the old one is still true of it


def test_a_device_that_changed_while_a_measurement_waited_is_not_measured(parts, device):
    engine, servicer = parts
    waiting = ask(servicer)
    device.driver = "2"
    engine.start()
    job = ended(engine, waiting)
    assert job.error.reason == "DEVICE_CHANGED"
    assert "devices/a has changed since the measurement was asked for" in job.error.message
    assert device.measured == []


def test_the_canary_tells_that_the_device_has_slowed_down(parts, device):
    engine, servicer = parts
    engine.start()
    states = []
    for latency_ms in (1.0, 1.0, 1.0, 1.2, 1.2):
        device.latency_ms = latency_ms
        states.append(ended(engine, ask(servicer, skip_cache=True)).result["device_state"])
    assert [state["canary_drift"] for state in states] == ["1.0000"] * 3 + ["1.2000"] * 2
    assert [model == canary_model() for model in device.measured] == [1, 0, 0, 0, 1, 0, 0]
    shown = servicer.GetDevice(pb.GetDeviceRequest(name="devices/a"), None).device
    assert (shown.canary_drift, shown.canary_ms) == pytest.approx((1.2, 1.2))


def test_beside_a_canary_latencies_are_those_of_the_first_pace(parts, device):
    engine, servicer = parts
    engine.start()
    device.latency_ms = device.canary_ms = 0.5  # the canary is measured by itself first, once
    ended(engine, ask(servicer, skip_cache=True))
    device.latency_ms = 4.0
    results = []
    for pace in (1.0, 1.25, 0.8, 1.0):
        device.latency_ms, device.canary_ms = 4.0 * pace, 0.5 * pace
        name = ended(engine, ask(servicer, skip_cache=True)).name
        request = pb.GetMeasurementRequest(name=name)
        results.append(servicer.GetMeasurement(request, None).measurement.result)
    assert [result.median_ms for result in results] == [4.0, 5.0, 3.2, 4.0]
    assert [result.canary_ms for result in results] == [0.5, 0.625, 0.4, 0.5]
    assert [result.steady_ms for result in results] == pytest.approx([4.0] * 4)
    drifts = [result.device_state["canary_drift"] for result in results]
    assert drifts == ["1.0000", "1.2500", "0.8000", "1.0000"]
    assert device.measured.count(canary_model()) == 1


def test_without_a_canary_beside_it_the_latency_is_the_median(parts, device):
    engine, servicer = parts
    engine.start()
    for latency_ms in (1.0, 1.5):
        device.latency_ms = latency_ms
        name = ended(engine, ask(servicer, skip_cache=True)).name
        result = servicer.GetMeasurement(pb.GetMeasurementRequest(name=name), None).measurement.result
        assert (result.steady_ms, result.canary_ms) == (latency_ms, 0.0)


def test_waiting_for_other_agents_is_no_timeout(parts, device, monkeypatch):
    monkeypatch.setattr("services.profiler.work.LEASE_MARGIN_S", 0.0)
    engine, servicer = parts
    device.wait_s = 1.0
    engine.start()
    job = ended(engine, ask(servicer, settings=common_pb2.MeasurementSettings(deadline_ms=900)))
    assert job.error is None
    assert (device.turns, len(device.measured)) == (1, 2)  # the canary and the network in one


def test_brief_answers_leave_out_what_the_asker_knows(parts):
    engine, servicer = parts
    engine.start()
    name = ask(servicer).name
    until(lambda: engine.store.get(name).state.ended)
    whole = servicer.GetMeasurement(pb.GetMeasurementRequest(name=name), None).measurement
    brief = servicer.GetMeasurement(pb.GetMeasurementRequest(name=name, brief=True), None).measurement
    assert list(whole.result.samples_ms) == [1.0] * 5
    for field_name in ("network", "settings"):
        assert whole.HasField(field_name) and not brief.HasField(field_name)
    whole.ClearField("network")
    whole.ClearField("settings")
    del whole.result.samples_ms[:]
    assert brief == whole


def test_a_list_leaves_out_the_raw_samples_alone(parts):
    engine, servicer = parts
    engine.start()
    name = ask(servicer).name
    until(lambda: engine.store.get(name).state.ended)
    whole = servicer.GetMeasurement(pb.GetMeasurementRequest(name=name), None).measurement
    (listed,) = servicer.ListMeasurements(pb.ListMeasurementsRequest(), None).measurements
    del whole.result.samples_ms[:]
    assert listed == whole


def test_only_so_many_measurements_are_kept(parts, monkeypatch):
    monkeypatch.setattr("services.profiler.servicer.PRUNE_EVERY", 1)
    engine, servicer = parts
    servicer._keep = 2
    engine.start()
    names = [ended(engine, ask(servicer, skip_cache=True)).name for _ in range(5)]
    listed = servicer.ListMeasurements(pb.ListMeasurementsRequest(), None).measurements
    # Two that had ended when the last was created, or with it, if it was quicker than the removal of the others.
    assert [m.name for m in listed] in (names[:-4:-1], names[:-3:-1])
