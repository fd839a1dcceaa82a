"""Models on disk: by hash, complete or not at all, resumable, within a quota."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from donna.errors import DataLoss, FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from donna.graphs import Limits
from services.profiler.models import ModelStore
from tests.unit.graphs import fragments as make


def model(seed: int) -> bytes:
    return make.conv(3, 4, 8, seed=seed).SerializeToString()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models", quota_bytes=1 << 20, limits=Limits(size_bytes=1 << 16))


def begin(store, sha256, total_bytes, offset=0):
    arrival = store.arrival()
    arrival.begin(sha256, total_bytes, offset)
    return arrival


def put(store, data, sha256=None):
    arrival = begin(store, sha256 or sha(data), len(data))
    try:
        arrival.write(data)
        return arrival.finish()
    finally:
        arrival.close()


def test_what_comes_in_comes_out(store):
    data = model(0)
    assert store.missing([sha(data)]) == [sha(data)]
    assert put(store, data) == len(data)
    assert store.missing([sha(data)]) == []
    assert store.get(sha(data)) == data


def test_an_interrupted_upload_goes_on_where_it_stopped(store):
    data = model(0)
    first = begin(store, sha(data), len(data), 0)
    first.write(data[:100])
    first.close()
    assert store.partial_bytes(sha(data)) == 100
    assert store.missing([sha(data)]) == [sha(data)]
    with pytest.raises(InvalidArgument, match=r"chunk.offset: must be 0 or 100, got 99"):
        begin(store, sha(data), len(data), 99)
    second = begin(store, sha(data), len(data), 100)
    second.write(data[100:])
    second.finish()
    second.close()
    assert store.get(sha(data)) == data
    assert store.partial_bytes(sha(data)) == 0


def test_starting_over_forgets_the_first_part(store):
    data = model(0)
    first = begin(store, sha(data), len(data), 0)
    first.write(b"something else")
    first.close()
    assert put(store, data) == len(data)


def test_the_wrong_hash_is_refused_and_nothing_kept(store):
    promised = sha(b"other")
    with pytest.raises(DataLoss, match=f"the bytes have sha256 {sha(model(0))}, not {promised}"):
        put(store, model(0), promised)
    assert store.missing([promised, sha(model(0))]) == [promised, sha(model(0))]
    assert store.partial_bytes(promised) == 0


def test_what_is_no_onnx_is_refused_and_nothing_kept(store):
    with pytest.raises(InvalidArgument, match="no ONNX model"):
        put(store, b"GIF89a" * 100)
    assert store.missing([sha(b"GIF89a" * 100)])


def test_one_upload_of_a_file_at_a_time(store):
    data = model(0)
    first = begin(store, sha(data), len(data), 0)
    with pytest.raises(Unavailable, match="being uploaded"):
        begin(store, sha(data), len(data), 0)
    first.close()
    assert put(store, data) == len(data)


def test_too_large_is_refused_before_a_byte_is_taken(store):
    with pytest.raises(ResourceExhausted, match="this host keeps at most 65536") as caught:
        begin(store, "0" * 64, (1 << 16) + 1)
    assert caught.value.reason == "MODEL_TOO_LARGE"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 63 + "\n"])
def test_a_name_that_is_no_hash_is_refused(store, name):
    for call in (store.get, lambda n: store.missing([n]), lambda n: begin(store, n, 10)):
        with pytest.raises(InvalidArgument, match="64 lower-case hexadecimal digits"):
            call(name)


def test_the_least_recently_used_leave_first(tmp_path):
    data = [model(seed) for seed in range(4)]
    store = ModelStore(tmp_path, quota_bytes=3 * len(data[0]) + 10)
    for age, each in enumerate(data[:3]):
        put(store, each)
        os.utime(tmp_path / sha(each), (age, age))
    store.get(sha(data[0]))
    put(store, data[3])
    assert store.missing(map(sha, data)) == [sha(data[1])]
    with pytest.raises(FailedPrecondition, match="upload it first") as caught:
        store.get(sha(data[1]))
    assert caught.value.reason == "MODEL_MISSING"


def test_what_came_in_part_counts_too_and_leaves_when_room_is_needed(tmp_path):
    data = [model(seed) for seed in range(4)]
    store = ModelStore(tmp_path, quota_bytes=3 * len(data[0]) + 10)
    for age, each in enumerate(data[:2]):
        arrival = begin(store, sha(each), len(each))
        arrival.write(each[:-1])
        arrival.close()
        os.utime(tmp_path / "partial" / sha(each), (age, age))
    put(store, data[2])
    put(store, data[3])
    assert [store.partial_bytes(sha(each)) for each in data[:2]] == [0, len(data[1]) - 1]
    assert store.missing(map(sha, data[2:])) == []


def test_uploads_that_are_under_way_have_their_room(tmp_path):
    data = [model(seed) for seed in range(3)]
    store = ModelStore(tmp_path, quota_bytes=2 * len(data[0]) + 10)
    arrivals = [begin(store, sha(each), len(each)) for each in data[:2]]
    with pytest.raises(ResourceExhausted, match="2 uploads have taken this host's quota") as caught:
        begin(store, sha(data[2]), len(data[2]))
    assert caught.value.retry_after_s
    arrivals[0].close()
    assert put(store, data[2])
    arrivals[1].write(data[1])
    assert arrivals[1].finish()


def test_an_upload_that_could_not_begin_is_in_nobodys_way(store, tmp_path):
    data = model(0)
    partial = tmp_path / "models" / "partial"
    partial.rename(tmp_path / "away")
    partial.touch()
    with pytest.raises(OSError):
        begin(store, sha(data), len(data))
    partial.unlink()
    (tmp_path / "away").rename(partial)
    assert put(store, data)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_however_late_it_is_noticed(store, tmp_path):
    data = model(0)
    (tmp_path / "models" / "partial" / sha(data)).symlink_to("/dev/full")
    arrival = begin(store, sha(data), len(data))
    arrival.write(data[:10])  # stays in a buffer
    with pytest.raises(ResourceExhausted, match="No space left") as caught:
        arrival.finish()
    assert caught.value.reason == "DISK_FULL"
    arrival.close()


def test_a_damaged_file_is_missing(store, tmp_path):
    data = model(0)
    put(store, data)
    (tmp_path / "models" / sha(data)).write_bytes(b"x" * len(data))
    with pytest.raises(FailedPrecondition, match="was damaged on this host"):
        store.get(sha(data))
    assert store.missing([sha(data)]) == [sha(data)]
