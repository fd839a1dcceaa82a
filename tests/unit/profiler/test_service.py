"""The profiler's contract, over gRPC with a real agent process."""

from __future__ import annotations

import hashlib
import threading

import pytest
from onnx import TensorProto

from donna.errors import (
    AlreadyExists,
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)
from donna.graphs import stitch, strip
from donna.v1 import common_pb2
from donna.v1 import profiler_pb2 as pb
from services.profiler.measurement import METHOD_VERSION
from tests.unit.graphs import fragments as make
from tests.unit.profiler import agent
from tests.unit.profiler import models_that_misbehave as misbehaving

STEM, BODY, HEAD = make.conv(3, 4, 8), make.residual(4, 8), make.head(4, 8, 10)
SUCCEEDED, FAILED, CANCELLED = (
    common_pb2.JOB_STATE_SUCCEEDED,
    common_pb2.JOB_STATE_FAILED,
    common_pb2.JOB_STATE_CANCELLED,
)
Settings = common_pb2.MeasurementSettings


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    with agent.running(tmp_path_factory.mktemp("agent"), MAX_MODEL_BYTES=str(1 << 20)) as (remote, _):
        yield remote


@pytest.fixture(scope="module")
def fragments(remote):
    return [agent.upload(remote, part.SerializeToString()) for part in (STEM, BODY, HEAD)]


def test_the_device_describes_itself(remote):
    devices = remote.ListDevices(pb.ListDevicesRequest()).devices
    assert [device.name for device in devices] == ["devices/local"]
    device = remote.GetDevice(pb.GetDeviceRequest(name="devices/local")).device
    assert device.available
    assert device.providers[0] == "CPUExecutionProvider"
    assert "AzureExecutionProvider" not in device.providers
    assert {"cpu", "cores", "memory_bytes", "runtime", "system"} <= set(device.fingerprint)
    assert "load_1m" in device.state
    assert len(device.fingerprint_sha256) == 64


def test_a_whole_model(remote):
    sha256 = agent.upload(remote, stitch([STEM, HEAD]).SerializeToString())
    measurement = agent.finished(remote, agent.create(remote, agent.whole(sha256)))
    assert measurement.job.state == SUCCEEDED
    assert not measurement.cached
    result = measurement.result
    assert 0 < result.min_ms <= result.median_low_ms <= result.median_ms <= result.median_high_ms
    assert result.median_ms <= result.p90_ms <= result.p95_ms <= result.p99_ms
    assert 5 <= len(result.samples_ms) <= 50
    assert result.peak_memory_bytes > result.network_memory_bytes
    assert sum(result.nodes_by_provider.values()) > 0
    assert result.fingerprint_sha256
    assert result.method_version == METHOD_VERSION
    device = remote.GetDevice(pb.GetDeviceRequest(name=measurement.device)).device
    first_canary_ms = device.canary_ms / device.canary_drift
    paces = result.median_ms / result.steady_ms, result.canary_ms / first_canary_ms
    assert paces[0] == pytest.approx(paces[1], rel=0.3), "runs and canary are slowed down alike"
    assert measurement.settings.provider == "CPUExecutionProvider"
    assert measurement.settings.warmup_runs == 10
    assert measurement.job.cost.measurements == 1
    assert measurement.job.cost.device_s > 0


def test_fragments_are_stitched_and_the_answer_is_cached(remote, fragments):
    first = agent.finished(remote, agent.create(remote, agent.stitched(*fragments)))
    assert first.job.state == SUCCEEDED
    again = agent.create(remote, agent.stitched(*fragments))
    assert again.job.state == SUCCEEDED  # at once
    assert again.cached
    assert again.name != first.name
    assert again.result == first.result
    assert again.job.cost.measurements == 0
    other = agent.finished(
        remote, agent.create(remote, agent.stitched(*fragments), settings=Settings(batch_size=2))
    )
    assert not other.cached
    fresh = agent.finished(remote, agent.create(remote, agent.stitched(*fragments), skip_cache=True))
    assert not fresh.cached
    assert fresh.result.measure_time.ToNanoseconds() > first.result.measure_time.ToNanoseconds()


def test_deleting_a_measurement_takes_it_out_of_the_cache(remote, fragments):
    network = agent.stitched(*fragments[:2])
    first = agent.finished(remote, agent.create(remote, network))
    remote.DeleteMeasurement(pb.DeleteMeasurementRequest(name=first.name))
    with pytest.raises(NotFound):
        remote.GetMeasurement(pb.GetMeasurementRequest(name=first.name))
    assert not agent.finished(remote, agent.create(remote, network)).cached


def test_fragments_without_weights_are_filled_here(remote):
    hashes = [agent.upload(remote, strip(part).SerializeToString()) for part in (STEM, BODY, HEAD)]
    assert agent.finished(remote, agent.create(remote, agent.stitched(*hashes))).job.state == SUCCEEDED


def test_layers_on_request(remote, fragments):
    asked = Settings(per_layer=True)
    layers = agent.finished(
        remote, agent.create(remote, agent.stitched(*fragments), settings=asked)
    ).result.layers
    assert "Conv" in {layer.op_type for layer in layers}


def test_request_id_makes_a_create_idempotent(remote, fragments):
    network = agent.stitched(*fragments)
    first = agent.create(remote, network, request_id="once")
    assert agent.create(remote, network, request_id="once").name == first.name
    with pytest.raises(AlreadyExists):
        agent.create(remote, network, request_id="once", settings=Settings(batch_size=3))


def test_validate_only_creates_nothing(remote, fragments):
    before = len(remote.ListMeasurements(pb.ListMeasurementsRequest()).measurements)
    checked = agent.create(remote, agent.stitched(*fragments), validate_only=True)
    assert checked.name == ""
    assert checked.settings.provider == "CPUExecutionProvider"
    assert len(remote.ListMeasurements(pb.ListMeasurementsRequest()).measurements) == before


def test_pages_hold_every_measurement_once_newest_first(remote, fragments):
    for _ in range(5):
        agent.create(remote, agent.stitched(*fragments))
    names, token = [], ""
    while True:
        page = remote.ListMeasurements(pb.ListMeasurementsRequest(page_size=2, page_token=token))
        names += [measurement.name for measurement in page.measurements]
        token = page.next_page_token
        if not token:
            break
    everything = remote.ListMeasurements(pb.ListMeasurementsRequest(page_size=1000)).measurements
    assert names == [measurement.name for measurement in everything]
    assert len(set(names)) == len(names) >= 5


@pytest.mark.parametrize(
    ("network", "told", "error", "sentence"),
    [
        (pb.MeasuredNetwork(), {}, InvalidArgument, "network: must be the hash of a model, or a list"),
        (agent.whole("../../etc/passwd"), {}, InvalidArgument, "network.model_sha256: must be 64"),
        (agent.stitched("0" * 64, "x"), {}, InvalidArgument, r"network.fragments.sha256\[1\]: must be 64"),
        (agent.stitched(*["0" * 64] * 300), {}, InvalidArgument, "at most 256 are stitched, got 300"),
        (agent.whole("0" * 64), {}, FailedPrecondition, "1 of the network's files are not on this host"),
        (None, {"device": "devices/phone"}, NotFound, "devices/phone is not a device of this host"),
        (None, {"device": "local"}, InvalidArgument, "device: must read like devices/"),
        (
            None,
            {"settings": Settings(provider="Nope")},
            InvalidArgument,
            "settings.provider: devices/local offers",
        ),
        (None, {"settings": Settings(warmup_runs=-1)}, InvalidArgument, "settings.warmup_runs: must be 0"),
        (
            None,
            {"settings": Settings(threads=-4)},
            InvalidArgument,
            "settings.threads: must be 1 to 1024, got -4",
        ),
        (None, {"priority": 5000}, InvalidArgument, "priority: must be within 1000, got 5000"),
        (None, {"request_id": "x" * 200}, InvalidArgument, "request_id: must have at most 128"),
    ],
)
def test_wrong_requests_are_refused_before_anything_runs(remote, fragments, network, told, error, sentence):
    before = len(remote.ListMeasurements(pb.ListMeasurementsRequest(page_size=1000)).measurements)
    with pytest.raises(error, match=sentence):
        agent.create(remote, network or agent.stitched(*fragments), **told)
    assert len(remote.ListMeasurements(pb.ListMeasurementsRequest(page_size=1000)).measurements) == before


def test_uploads_are_checked(remote):
    data = make.conv(3, 4, 8, seed=99).SerializeToString()
    with pytest.raises(DataLoss, match="the bytes have sha256"):
        agent.upload(remote, data, sha256="0" * 64)
    with pytest.raises(InvalidArgument, match="no ONNX model"):
        agent.upload(remote, b"GIF89a" * 100)
    with pytest.raises(ResourceExhausted, match="keeps at most 1048576"):
        agent.upload(remote, bytes((1 << 20) + 1))
    elsewhere = make.conv(3, 4, 8)
    elsewhere.graph.initializer[0].data_location = TensorProto.EXTERNAL
    elsewhere.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(InvalidArgument, match="tensor 'weight' is stored in another file"):
        agent.upload(remote, elsewhere.SerializeToString())
    with pytest.raises(InvalidArgument, match=r"chunk\.sha256: must be 64"):
        agent.upload(remote, data, sha256="../x")


def test_an_upload_goes_on_where_it_was_cut(remote):
    data = make.conv(16, 16, 8, seed=5).SerializeToString()
    sha256 = hashlib.sha256(data).hexdigest()

    def torn():
        chunk = common_pb2.Chunk(sha256=sha256, offset=0, total_bytes=len(data), data=data[:5000])
        yield pb.UploadModelRequest(chunk=chunk)

    with pytest.raises(InvalidArgument, match=f"ended after 5000 of {len(data)} bytes"):
        remote.UploadModel(torn())
    asked = pb.FindMissingModelsRequest(sha256=[sha256])
    answer = remote.FindMissingModels(asked)
    assert dict(answer.partial_bytes) == {sha256: 5000}
    assert agent.upload(remote, data, start=5000) == sha256
    assert not remote.FindMissingModels(asked).missing_sha256


def test_a_failing_model_tells_why_and_others_go_on(remote, fragments):
    endless = agent.upload(remote, misbehaving.endless())
    greedy = agent.upload(remote, misbehaving.greedy())
    slow = agent.create(remote, agent.whole(endless), settings=Settings(deadline_ms=1000.0))
    hungry = agent.create(remote, agent.whole(greedy), settings=Settings(memory_limit_bytes=1 << 28))
    misfit = agent.create(remote, agent.stitched(fragments[2], fragments[0]))
    good = agent.create(remote, agent.stitched(*fragments), skip_cache=True)
    ended = [agent.finished(remote, each) for each in (slow, hungry, misfit)]
    assert [each.job.state for each in ended] == [FAILED] * 3
    assert [each.job.error.reason for each in ended] == ["TIMEOUT", "OUT_OF_MEMORY", "INVALID_MODEL"]
    assert "fragments[1]" in ended[2].job.error.message
    assert agent.finished(remote, good).job.state == SUCCEEDED


def test_cancelling_frees_the_device(remote, fragments):
    endless = agent.upload(remote, misbehaving.endless())
    stuck = agent.create(remote, agent.whole(endless), settings=Settings(deadline_ms=60_000.0, batch_size=2))
    watched = []
    thread = threading.Thread(target=lambda: watched.append(agent.finished(remote, stuck)))
    thread.start()
    cancelled = remote.CancelMeasurement(pb.CancelMeasurementRequest(name=stuck.name)).measurement
    assert cancelled.job.state == CANCELLED
    thread.join(timeout=20)
    assert watched[0].job.state == CANCELLED
    after = agent.create(remote, agent.stitched(*fragments), skip_cache=True)
    assert agent.finished(remote, after).job.state == SUCCEEDED


def test_a_restart_keeps_models_and_answers(tmp_path):
    data = STEM.SerializeToString()
    with agent.running(tmp_path, CANARY_EVERY="1") as (remote, _):
        network = agent.whole(agent.upload(remote, data))
        first = agent.finished(remote, agent.create(remote, network))
        device = remote.GetDevice(pb.GetDeviceRequest(name="devices/local")).device
        first_ms = device.canary_ms / device.canary_drift
        assert first_ms > 0
        assert device.canary_time.ToNanoseconds() > first.job.create_time.ToNanoseconds()
        assert first.result.device_state["canary_drift"] == f"{device.canary_drift:.4f}"
    with agent.running(tmp_path, CANARY_EVERY="1") as (remote, _):
        again = agent.create(remote, network)
        assert again.cached
        assert again.result == first.result
        agent.finished(remote, agent.create(remote, network, skip_cache=True))
        device = remote.GetDevice(pb.GetDeviceRequest(name="devices/local")).device
        assert device.canary_drift == pytest.approx(device.canary_ms / first_ms), "not of the second start"
