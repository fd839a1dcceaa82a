"""What every artifact store does, in a folder and in object storage that speaks the S3 protocol."""

import hashlib
import logging
import os
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bench.line import Line
from donna.artifacts import ArtifactStore
from donna.errors import DataLoss, InvalidArgument, NotFound, Unavailable
from donna.object_artifacts import ObjectArtifactStore, S3Access

DATA = b"some weights" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A store, another one on the same bytes, and how to reach behind its back."""

    store: ArtifactStore
    again: ArtifactStore
    damage: Callable[[str, bytes], None]
    everything: Callable[[], list[str]]


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server with nothing in it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def access(endpoint: str) -> S3Access:
    return S3Access(endpoint=endpoint, region="us-east-1", access_key="key", secret_key="secret")


def _request(url: str, data: bytes | None = None) -> bytes:
    method = "PUT" if data is not None else "GET"
    credential = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"
    request = urllib.request.Request(url, data=data, method=method, headers={"Authorization": credential})
    with urllib.request.urlopen(request) as response:
        return response.read()


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "folder":
        folder = tmp_path / "artifacts"
        store = ArtifactStore(folder)
        return Kept(
            store=store,
            again=ArtifactStore(folder),
            damage=lambda sha256, data: store._path(sha256).write_bytes(data) and None,
            everything=lambda: sorted(path.name for path in folder.rglob("*") if path.is_file()),
        )
    endpoint = request.getfixturevalue("s3")
    bucket = f"bucket-{os.urandom(8).hex()}"
    _request(f"{endpoint}/{bucket}", b"")

    def open_store(name: str) -> ArtifactStore:
        return ObjectArtifactStore(f"s3://{bucket}/team/donna", access(endpoint), spool=tmp_path / name)

    def names() -> list[str]:
        listing = _request(f"{endpoint}/{bucket}?list-type=2").decode()
        return [key.partition("</Key>")[0].rpartition("/")[2] for key in listing.split("<Key>")[1:]]

    return Kept(
        store=open_store("one"),
        again=open_store("two"),
        damage=lambda sha256, data: (
            _request(f"{endpoint}/{bucket}/team/donna/{sha256[:2]}/{sha256}", data) and None
        ),
        everything=lambda: names() + [p.name for p in tmp_path.rglob("*") if p.is_file()],
    )


@pytest.mark.parametrize("data", [b"", b"x", DATA, bytes(3 << 20)])
def test_bytes_come_back_wherever_they_are_asked_for(kept: Kept, data: bytes) -> None:
    artifact = kept.store.put_bytes(data)
    assert artifact.sha256 == hashlib.sha256(data).hexdigest() and artifact.size_bytes == len(data)
    assert kept.again.has(artifact.sha256)
    assert kept.again.get_bytes(artifact.sha256) == data
    assert kept.again.describe(artifact.sha256) == artifact
    assert b"".join(kept.again.pieces(artifact.sha256)) == data
    assert b"".join(kept.again.pieces(artifact.sha256, offset=len(data) // 2)) == data[len(data) // 2 :]


def test_a_file_of_many_parts_comes_back(kept: Kept) -> None:
    pieces = [bytes([n]) * (5 << 20) for n in range(4)]
    artifact = kept.store.put_stream(pieces)
    assert artifact.size_bytes == 20 << 20
    assert kept.store.get_bytes(artifact.sha256) == b"".join(pieces)
    assert max(map(len, kept.store.pieces(artifact.sha256))) <= 1 << 20


def test_an_interrupted_upload_leaves_nothing(kept: Kept) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield DATA
        raise ConnectionResetError("the other end is gone")

    with pytest.raises(ConnectionResetError):
        kept.store.put_stream(breaks_off())
    with kept.store.incoming() as incoming:
        incoming.write(DATA)
    assert kept.everything() == []
    assert not kept.store.has(SHA256)


def test_a_wrong_hash_is_refused_and_leaves_nothing(kept: Kept) -> None:
    with pytest.raises(DataLoss, match=f"the bytes have sha256 {SHA256}, not {'0' * 64}"):
        kept.store.put_stream([DATA], "0" * 64)
    assert kept.everything() == []


def test_what_was_damaged_is_never_given_out_and_can_be_mended(kept: Kept) -> None:
    kept.store.put_bytes(DATA)
    for damaged in (DATA[:-1] + b"?", DATA[:-1], DATA + b"!"):
        kept.damage(SHA256, damaged)
        with pytest.raises(DataLoss, match=f"artifact {SHA256} is damaged"):
            kept.again.get_bytes(SHA256)
    kept.store.put_bytes(DATA)
    assert kept.again.get_bytes(SHA256) == DATA


def test_many_writers_of_the_same_bytes_leave_one(kept: Kept) -> None:
    stores = [kept.store, kept.again] * 10
    with ThreadPoolExecutor(6) as pool:
        assert {a.sha256 for a in pool.map(lambda store: store.put_bytes(DATA), stores)} == {SHA256}
    assert kept.everything() == [SHA256]
    assert kept.store.get_bytes(SHA256) == DATA


def test_what_is_too_large_to_be_meant_is_not_read(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.store.put_bytes(DATA)
    assert kept.store.get_bytes(SHA256, at_most=len(DATA)) == DATA
    monkeypatch.setattr(type(kept.store), "_read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(
        InvalidArgument, match=f"has {len(DATA)} bytes, .* has {len(DATA) - 1} at most"
    ) as caught:
        kept.store.get_bytes(SHA256, at_most=len(DATA) - 1)
    assert caught.value.reason == "ARTIFACT_TOO_LARGE"


def test_a_store_that_answers_is_well(kept: Kept) -> None:
    kept.store.check()
    assert kept.everything() == []


def test_what_is_not_there_is_not_found_and_what_is_removed_is_not_there(kept: Kept) -> None:
    for _ in range(2):
        assert not kept.store.has(SHA256)
        for ask in (
            kept.store.get_bytes,
            kept.store.describe,
            lambda sha256: list(kept.store.pieces(sha256)),
        ):
            with pytest.raises(NotFound, match=SHA256):
                ask(SHA256)
        kept.store.put_bytes(DATA)
        kept.again.remove(SHA256)
        kept.again.remove(SHA256)
    assert kept.everything() == []


def test_a_name_that_is_no_hash_reaches_nothing(kept: Kept) -> None:
    for name in ("", "..", "../../etc/passwd", SHA256.upper(), SHA256 + "/x"):
        for ask in (kept.store.get_bytes, kept.store.has, kept.store.describe, kept.store.remove):
            with pytest.raises(InvalidArgument, match="64 lower-case hexadecimal digits"):
                ask(name)


@pytest.mark.parametrize("comes_back", [True, False])
def test_an_upload_that_is_cut_on_its_way_comes_whole_or_not_at_all(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    """The line to the storage breaks after some of a file of many parts has arrived there."""
    monkeypatch.setattr("donna.object_artifacts._PART_BYTES", 5 << 20)
    if not comes_back:
        monkeypatch.setattr("donna.object_artifacts.RETRY_FOR", timedelta(seconds=1))
    bucket = f"bucket-{os.urandom(8).hex()}"
    _request(f"{s3}/{bucket}", b"")
    data = os.urandom(12 << 20)
    sha256 = hashlib.sha256(data).hexdigest()
    line = Line(s3.removeprefix("http://"))
    url = f"s3://{bucket}/team"
    through = ObjectArtifactStore(url, access(f"http://{line.address}"), spool=tmp_path / "through")
    beside = ObjectArtifactStore(url, access(s3), spool=tmp_path / "beside")
    line.become("slow")
    with ThreadPoolExecutor(1) as thread:
        upload = thread.submit(through.put_bytes, data)
        while not _request(f"{s3}/{bucket}?uploads").count(b"<UploadId>"):
            assert not upload.done()
        line.become("cut")
        assert not beside.has(sha256) and not upload.done()
        if comes_back:
            line.become("whole")
            assert upload.result(60).sha256 == sha256
            assert beside.get_bytes(sha256) == data
        else:
            with pytest.raises(Unavailable, match="the artifact storage does not answer as it should"):
                upload.result(60)
            assert not beside.has(sha256)
    line.close()


def test_storage_that_is_away_is_unavailable(tmp_path: Path) -> None:
    store = ObjectArtifactStore("s3://bucket", access("http://127.0.0.1:1"), spool=tmp_path)
    for ask in (store.check, lambda: store.has(SHA256)):
        with pytest.raises(Unavailable, match="the artifact storage does not answer"):
            ask()


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "gs://bucket"])
def test_a_url_that_names_no_bucket_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidArgument, match="s3://bucket/prefix"):
        ObjectArtifactStore(url, spool=tmp_path)
