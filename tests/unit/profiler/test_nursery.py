"""Fresh measuring processes: what they measure, and that what breaks in one costs that one only."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from donna.errors import Cancelled, DonnaError
from services.profiler import child
from services.profiler.canary import canary_model
from services.profiler.measurement import MeasurementSettings
from services.profiler.process import Nursery
from tests.unit.graphs import fragments as make
from tests.unit.profiler import models_that_misbehave as misbehaving

SETTINGS = MeasurementSettings(
    provider="CPUExecutionProvider",
    min_runs=10,
    max_runs=200,
    min_time_ms=5.0,
    relative_ci_width=0.5,
    max_repeats=0,
    deadline_ms=20_000.0,
)
GOOD = make.conv(3, 8, 16).SerializeToString()


@pytest.fixture(scope="module")
def nursery():
    made = Nursery()
    yield made
    made.close()


def test_measures(nursery):
    measured = nursery.measure(GOOD, SETTINGS)
    assert 10 <= len(measured.samples_ms) <= 200
    assert min(measured.samples_ms) > 0
    assert measured.load_ms > 0
    assert measured.nodes_by_provider.keys() == {"CPUExecutionProvider"}
    assert 20 << 20 < measured.peak_memory_bytes < 1 << 30
    assert measured.layers == ()


def test_a_canary_runs_beside_the_network(nursery):
    alone = nursery.measure(GOOD, SETTINGS)
    assert (alone.canary_ms, alone.per_canary) == (0.0, 0.0)
    beside = nursery.measure(GOOD, SETTINGS, canary=canary_model())
    assert beside.per_canary == pytest.approx(np.median(beside.samples_ms) / beside.canary_ms, rel=0.3)
    assert nursery.measure(canary_model(), SETTINGS, canary=canary_model()).per_canary == pytest.approx(
        1, rel=0.1
    )
    added = beside.network_memory_bytes - alone.network_memory_bytes
    assert added < len(canary_model()), "the canary is no memory of the network's"


def test_a_canary_runs_in_one_way_whatever_the_settings(monkeypatch):
    told = []
    opened = child.runtime.open_session
    monkeypatch.setattr(
        child.runtime, "open_session", lambda model, how: told.append(how) or opened(model, how)
    )
    for changed in ({}, {"threads": 2, "graph_optimization": "none", "batch_size": 4}):
        child._canary(canary_model(), replace(SETTINGS, **changed).to_json())()
    ways = [(how["threads"], how["graph_optimization"], how["provider_options"]) for how in told]
    assert ways == [(1, "all", {})] * 2


def test_memory_grows_with_the_network(nursery):
    big = make.conv(256, 512, 4, kernel=5).SerializeToString()
    small, large = (nursery.measure(model, SETTINGS).network_memory_bytes for model in (GOOD, big))
    assert large - small > len(big) * 0.8


def test_a_larger_batch_takes_longer(nursery):
    one, many = (
        np.median(nursery.measure(GOOD, replace(SETTINGS, batch_size=size)).samples_ms) for size in (1, 64)
    )
    assert many > 4 * one


def test_several_threads(nursery):
    assert nursery.measure(GOOD, replace(SETTINGS, threads=2)).samples_ms


def test_layers(nursery):
    measured = nursery.measure(GOOD, replace(SETTINGS, per_layer=True, graph_optimization="none"))
    assert [layer.op_type for layer in measured.layers] == ["Conv", "Relu"]
    assert [layer.name for layer in measured.layers] == ["conv", "relu"]
    assert all(layer.median_ms > 0 and layer.provider == "CPUExecutionProvider" for layer in measured.layers)


def test_a_profile_takes_no_longer_than_the_deadline_allows():
    nursery = Nursery(misbehaving.nursery_with_long_profiles())
    slow = make.conv(64, 64, 64).SerializeToString()
    try:
        measured = nursery.measure(slow, replace(SETTINGS, per_layer=True, deadline_ms=2000.0))
    finally:
        nursery.close()
    assert measured.samples_ms
    assert measured.layers


def test_affinity_holds():
    cpu = max(os.sched_getaffinity(0))
    tell = "raise RuntimeError(f'on {os.sched_getaffinity(0)}')"
    nursery = Nursery(misbehaving.crashing_nursery(tell))
    try:
        with pytest.raises(DonnaError, match=rf"on \{{{cpu}\}}"):
            nursery.measure(GOOD, replace(SETTINGS, affinity=(cpu,)))
    finally:
        nursery.close()


@pytest.mark.parametrize(
    ("model", "settings", "reason", "sentence"),
    [
        (misbehaving.endless(), {"deadline_ms": 1000.0}, "TIMEOUT", "did not end within 1000 ms"),
        (misbehaving.greedy(), {"memory_limit_bytes": 1 << 28}, "OUT_OF_MEMORY", "alloc"),
        (misbehaving.unknown_operator(), {}, "UNSUPPORTED_OP", "Frobnicate"),
        (b"GIF89a" * 50, {}, "INVALID_MODEL", "protobuf"),
        (GOOD, {"provider": "CUDAExecutionProvider"}, "UNMEASURABLE", "CUDAExecutionProvider is not usable"),
        (GOOD, {"affinity": (4000,)}, "UNMEASURABLE", r"none of the processors \[4000\] is usable here"),
        (make.conv(3, 8, 16).SerializeToString()[:-9], {}, "INVALID_MODEL", "ONNX|protobuf|parse"),
    ],
)
def test_a_failure_has_its_reason_and_the_next_measurement_is_unharmed(
    nursery, model, settings, reason, sentence
):
    with pytest.raises(DonnaError, match=sentence) as caught:
        nursery.measure(model, replace(SETTINGS, **settings))
    assert caught.value.reason == reason
    assert nursery.measure(GOOD, SETTINGS).samples_ms


@pytest.mark.parametrize(
    ("how", "reason", "sentence"),
    [
        ("os.abort()", "CRASHED", "signal SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "CRASHED", "signal SIGSEGV"),
        ("os._exit(3)", "CRASHED", "exit status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "OUT_OF_MEMORY", "want of memory"),
        ("open('/etc/hostname')", "INVALID_MODEL", "Too many open files"),
        ("os.write(os.open('/tmp', os.O_TMPFILE | os.O_RDWR), b'x')", "INVALID_MODEL", "Too many open files"),
        ("bytearray(8 << 30)", "OUT_OF_MEMORY", "MemoryError"),
        ("raise SystemExit(5)", "CRASHED", "exit status 70"),
        ("raise MemoryError", "OUT_OF_MEMORY", "MemoryError"),
        ("(print('noise', flush=True), os.abort())", "CRASHED", "noise"),
    ],
)
def test_a_crash_of_the_runtime_is_an_answer(how, reason, sentence):
    nursery = Nursery(misbehaving.crashing_nursery(how))
    try:
        for _ in range(2):
            with pytest.raises(DonnaError, match=sentence) as caught:
                nursery.measure(GOOD, SETTINGS)
            assert caught.value.reason == reason
    finally:
        nursery.close()


def test_a_nursery_that_dies_is_started_again(nursery):
    nursery.measure(GOOD, SETTINGS)
    nursery._process.kill()
    nursery._process.wait()
    assert nursery.measure(GOOD, SETTINGS).samples_ms


def test_cancelling_ends_the_child_at_once(nursery):
    cancelled = threading.Event()

    def check():
        if cancelled.is_set():
            raise Cancelled("enough")

    nursery.measure(GOOD, SETTINGS)
    group = nursery._process.pid
    threading.Timer(0.5, cancelled.set).start()
    with pytest.raises(Cancelled):
        nursery.measure(misbehaving.endless(), SETTINGS, check)
    deadline = time.monotonic() + 10  # a killed process takes a moment to leave the table
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not members(group)


def members(group: int) -> list[int]:
    """Live processes of a process group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def test_nothing_outlives_an_agent_that_is_killed(tmp_path):
    model = tmp_path / "endless.onnx"
    model.write_bytes(misbehaving.endless())
    code = (
        "import sys; from pathlib import Path; from services.profiler.process import Nursery;"
        "from services.profiler.measurement import MeasurementSettings;"
        "n = Nursery(); n._running(lambda: None); print(n._process.pid, flush=True);"
        f"n.measure(Path({str(model)!r}).read_bytes(), MeasurementSettings(provider='CPUExecutionProvider'))"
    )
    agent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    group = int(agent.stdout.readline())
    deadline = time.monotonic() + 20
    while len(members(group)) < 2:  # nursery and child
        assert time.monotonic() < deadline
        time.sleep(0.05)
    agent.kill()
    agent.wait()
    agent.stdout.close()
    while members(group):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_measuring_process_imports_little():
    code = "import sys; import services.profiler.nursery; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    root = str(Path(__file__).parents[3])
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": root}
    ).stdout.split()
    assert not {"torch", "grpc", "google", "onnx", "sqlalchemy", "pydantic", "scipy"} & set(loaded)
