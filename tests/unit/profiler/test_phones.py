"""Phones through the real adb server: daemons of ours on loopback speak its protocol and really run the model."""

from __future__ import annotations

import json
import shutil
import threading
import time

import pytest

from donna.errors import Cancelled, DonnaError, InvalidArgument, Unavailable
from donna.v1 import common_pb2
from donna.v1 import profiler_pb2 as pb
from services.profiler.measurement import MeasurementSettings
from services.profiler.phones.configuration import read_phones
from tests.unit.graphs import fragments as make
from tests.unit.profiler import agent
from tests.unit.profiler import models_that_misbehave as misbehaving
from tests.unit.profiler.lab import Lab

pytestmark = pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb (Debian package adb)")

GOOD = make.conv(3, 4, 8).SerializeToString()
SETTINGS = MeasurementSettings(
    provider="CPUExecutionProvider",
    warmup_runs=3,
    min_runs=10,
    max_runs=60,
    min_time_ms=1.0,
    relative_ci_width=10.0,
    max_repeats=0,
    deadline_ms=20_000.0,
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.close()


@pytest.fixture
def phone(lab):
    return lab.plug_in()


def test_a_measurement_end_to_end(lab, phone):
    device = lab.device(phone, file=str(lab.runner))
    measured = device.measure(GOOD, SETTINGS, lambda: None)
    assert 10 <= len(measured.samples_ms) <= 60
    assert all(0.001 < sample < 1000 for sample in measured.samples_ms)
    assert measured.peak_memory_bytes == 34_000_000
    left = [path.name for path in (phone.folder / "storage" / "donna").rglob("*") if path.is_file()]
    assert sorted(left) == ["complete", "onnxruntime_perf_test"]
    pushed = len(phone.pushed)
    device.measure(GOOD, SETTINGS, lambda: None)
    assert len(phone.pushed) == pushed + 1  # the model again, the runner not
    calls = (phone.folder / "calls").read_text().splitlines()
    assert calls[:3] == ["doze disable", "input keyevent KEYCODE_WAKEUP", "svc power stayon true"]
    assert calls[3:5] == ["doze enable", "svc power stayon false"]


def test_the_phone_describes_itself(lab, phone):
    device = lab.device(phone)
    fingerprint = device.fingerprint()
    assert fingerprint["manufacturer"] == "Loopback"
    assert fingerprint["android"] == "14"
    assert len(fingerprint["runner_sha256"]) == 64
    assert fingerprint["memory"].startswith("MemTotal:")
    assert "ro.irrelevant" not in fingerprint.values()
    assert device.identity.kind == "Loopback-Model-One"
    state = device.state()
    assert {
        "battery_c": "29.1",
        "battery_percent": "87",
        "charging": "true",
        "thermal_status": "0",
    }.items() <= (state.items())


def test_two_phones_at_once(lab):
    devices = [lab.device(lab.plug_in(), file=str(lab.runner)) for _ in range(2)]
    results = {}

    def work(index):
        results[index] = devices[index].measure(GOOD, SETTINGS, lambda: None)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(len(results[index].samples_ms) >= 10 for index in range(2))


def reason_of(device, model=GOOD, settings=SETTINGS):
    with pytest.raises(DonnaError) as caught:
        device.measure(model, settings, lambda: None)
    return caught.value.reason, caught.value.message


def test_an_unplugged_phone_in_mid_run(lab, phone):
    device = lab.device(phone)
    device.measure(GOOD, SETTINGS, lambda: None)
    before = len(phone.commands)

    def unplug():
        while not any("quick_runner -I" in command for command in phone.commands[before:]):
            time.sleep(0.05)
        phone.unplug()

    threading.Thread(target=unplug).start()
    reason, message = reason_of(device, misbehaving.endless())
    assert reason == "DEVICE_LOST"
    assert phone.serial in message
    assert phone.serial in device.unavailable_reason()
    with pytest.raises(Unavailable, match=r"is not connected|is offline"):
        device.fingerprint()


def test_a_full_phone(lab, phone):
    device = lab.device(phone)
    phone.full = True
    assert reason_of(device)[0] == "STORAGE_FULL"
    phone.full = False
    (phone.folder / "free").write_text("0")
    reason, message = reason_of(device)
    assert reason == "STORAGE_FULL"
    assert "has 0 bytes left" in message
    (phone.folder / "free").write_text("1000000")
    assert device.measure(GOOD, SETTINGS, lambda: None).samples_ms


def test_a_warm_phone_is_waited_for_beside_the_deadline_and_not_for_ever(lab, phone, monkeypatch):
    monkeypatch.setattr("services.profiler.phones.adb_device.COOL_LOOK_S", 0.1)
    temperature = phone.folder / "temperature"
    temperature.write_text("412")
    reason, message = reason_of(lab.device(phone))
    assert reason == "DEVICE_TOO_WARM"
    assert "battery at 41.2 C" in message
    device = lab.device(phone, cool_down_s=60)
    threading.Timer(2.5, temperature.write_text, ["305"]).start()
    # Cooling takes longer than the deadline, which is for the runs.
    assert device.measure(GOOD, agent_settings(deadline_ms=2000.0), lambda: None).samples_ms


def test_a_phone_that_was_too_warm_is_away_until_it_is_cool(lab, phone):
    temperature = phone.folder / "temperature"
    temperature.write_text("412")
    device = lab.device(phone)
    assert reason_of(device)[0] == "DEVICE_TOO_WARM"
    assert "is too warm" in device.unavailable_reason()
    assert device.fingerprint()  # it can be queued for
    temperature.write_text("305")
    assert device.unavailable_reason() == ""


def test_a_phone_that_hangs_is_lost(lab, phone, monkeypatch):
    monkeypatch.setattr("services.profiler.phones.connection.ANSWER_S", 1)
    device = lab.device(phone)
    device.measure(GOOD, SETTINGS, lambda: None)
    phone.stuck = True
    reason, message = reason_of(device)
    assert reason == "DEVICE_LOST"
    assert "nothing heard for 1 s while it was sent a file" in message


def test_an_unauthorised_phone(lab):
    device = lab.device(lab.plug_in(authorised=False))
    assert "has not authorised this host; confirm on its screen" in device.unavailable_reason()
    with pytest.raises(Unavailable):
        device.fingerprint()
    assert reason_of(device)[0] == "DEVICE_LOST"


@pytest.mark.parametrize(
    ("script", "reason", "sentence"),
    [
        ("echo hello", "BAD_OUTPUT", "makes no sense: 'hello'"),
        ("shift 11; echo 'm,nonsense,1,1,0' > $2", "BAD_OUTPUT", "makes no sense"),
        ("shift 11; echo 'm,-0.5,1,1,0' > $2", "BAD_OUTPUT", "a latency of -500.0 ms"),
        ("shift 11; echo 'm,0.5,1,1,0' > $2", "BAD_OUTPUT", r"was to run 13 times, its output tells of 1"),
        (
            "echo 'cannot load libonnxruntime.so'; exit 1",
            "CRASHED",
            "status 1: cannot load libonnxruntime.so",
        ),
        ("kill -9 $$", "OUT_OF_MEMORY", "killed the runner"),
    ],
)
def test_output_that_makes_no_sense(lab, phone, tmp_path, script, reason, sentence):
    bad = tmp_path / "bad_runner"
    bad.write_text(f"#!/bin/sh\n{script}\n")
    found, message = reason_of(lab.device(phone, file=str(bad)))
    assert found == reason
    assert sentence in message


def test_a_deadline_ends_the_run_on_the_phone(lab, phone):
    assert (
        reason_of(lab.device(phone), misbehaving.endless(), agent_settings(deadline_ms=3000.0))[0]
        == "TIMEOUT"
    )
    deadline = time.monotonic() + 10
    while any(process.poll() is None for process in phone._running):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_cancelled_run_ends_on_the_phone_as_well(lab, phone):
    def check():
        if any("quick_runner -I" in command for command in phone.commands):
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        lab.device(phone).measure(misbehaving.endless(), SETTINGS, check)
    assert not running(phone)


def running(phone):
    """The commands of a phone that have not ended; a killed process takes a moment to leave the table."""
    deadline = time.monotonic() + 10
    while left := [process.args for process in phone._running if process.poll() is None]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


def test_what_a_dead_agent_left_on_the_phone_is_ended_and_removed(lab, phone):
    device = lab.device(phone)
    device.measure(GOOD, SETTINGS, lambda: None)
    folder = phone.folder / "storage" / "donna"
    (folder / "left.onnx").write_bytes(misbehaving.endless())
    (folder / "left.csv").touch()
    (program,) = folder.glob("*/quick_runner")
    left = "-I -m times -r 1 -e cpu -x 1 -o 99"
    phone.start(f"{program} {left} {folder}/left.onnx {folder}/left.csv")
    device.measure(GOOD, SETTINGS, lambda: None)
    assert not running(phone)
    assert not [*folder.glob("*.onnx"), *folder.glob("*.csv")]


def agent_settings(**changed):
    return MeasurementSettings(**(SETTINGS.to_json() | {"affinity": ()} | changed))


def test_a_template_runner(lab, phone, tmp_path):
    runner = tmp_path / "other"
    runner.write_text(
        '#!/bin/sh\ni=0; while [ $i -lt $2 ]; do echo "took $((1000 + i % 2)) us"; i=$((i+1)); done\n'
    )
    told = {
        "kind": "template",
        "arguments": ["{model}", "{runs}", "--threads={threads}"],
        "sample": r"took (\d+) us",
        "unit": "us",
    }
    measured = lab.device(phone, file=str(runner), **told).measure(GOOD, SETTINGS, lambda: None)
    assert {round(sample, 6) for sample in measured.samples_ms} == {1.0, 1.001}
    assert any("--threads=1" in command for command in phone.commands)


def test_an_agent_goes_on_with_one_phone_when_the_other_is_unplugged(lab, tmp_path):
    first, second = lab.plug_in(), lab.plug_in()
    phones = [lab.configured(first) | {"id": "one"}, lab.configured(second) | {"id": "two"}]
    file = tmp_path / "phones.json"
    file.write_text(json.dumps({"phones": phones, "adb_port": lab.port}))
    with agent.running(tmp_path, PHONES=str(file)) as (remote, _):
        names = [device.name for device in remote.ListDevices(pb.ListDevicesRequest()).devices]
        assert names == ["devices/local", "devices/one", "devices/two"]
        endless, good = (agent.upload(remote, model) for model in (misbehaving.endless(), GOOD))
        stuck = agent.create(remote, agent.whole(endless), device="devices/one")
        waiting = agent.create(remote, agent.whole(good), device="devices/one", settings=quick())
        fine = agent.create(remote, agent.whole(good), device="devices/two", settings=quick())
        assert agent.finished(remote, fine).job.state == common_pb2.JOB_STATE_SUCCEEDED
        while not any("quick_runner -I" in command for command in first.commands):
            time.sleep(0.05)
        first.unplug()
        ended = agent.finished(remote, stuck)
        assert ended.job.error.reason == "DEVICE_LOST"
        device = remote.GetDevice(pb.GetDeviceRequest(name="devices/one")).device
        assert not device.available
        assert first.serial in device.unavailable_reason
        again = agent.create(
            remote, agent.whole(good), device="devices/two", skip_cache=True, settings=quick()
        )
        assert agent.finished(remote, again).job.state == common_pb2.JOB_STATE_SUCCEEDED
        with pytest.raises(Unavailable):
            agent.create(remote, agent.whole(good), device="devices/one", skip_cache=True)
        remote.CancelMeasurement(pb.CancelMeasurementRequest(name=waiting.name))


def quick():
    return common_pb2.MeasurementSettings(warmup_runs=2)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("no json", "is no JSON"),
        ('{"phones": [{"serial": "x", "runner": {"file": "/no/such/file"}}]}', "/no/such/file is not a file"),
        ('{"phones": [{"serial": "", "runner": {"file": "/bin/sh"}}]}', r"phones.0.serial"),
        ('{"phones": [{"serial": "x", "folder": "a;b", "runner": {"file": "/bin/sh"}}]}', r"phones.0.folder"),
        ('{"phones": [], "port": 3}', "port"),
    ],
)
def test_a_wrong_list_of_phones_is_told(tmp_path, raw, sentence):
    file = tmp_path / "phones.json"
    file.write_text(raw)
    with pytest.raises(InvalidArgument, match=sentence):
        read_phones(file)
