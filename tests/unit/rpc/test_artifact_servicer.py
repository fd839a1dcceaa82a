"""Artifacts over a real connection: uploads that are refused leave nothing, downloads go on where they stopped."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from donna.artifacts import ArtifactStore
from donna.errors import DataLoss, DonnaError, InvalidArgument, NotFound, ResourceExhausted
from donna.rpc.artifact_servicer import artifact_endpoint
from donna.rpc.channel import Remote, open_channel
from donna.v1 import artifacts_pb2 as pb
from donna.v1 import common_pb2
from donna.v1.artifacts_pb2_grpc import ArtifactServiceStub
from tests.unit.rpc.serving import serving

MIB = 1 << 20
DATA = bytes(range(256)) * 10_240  # 2.5 MiB
SHA256 = hashlib.sha256(DATA).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def remote(store: ArtifactStore) -> Iterator[Remote]:
    with serving(artifact_endpoint(store)) as address, open_channel(address) as channel:
        yield Remote(ArtifactServiceStub, channel, deadline_s=60)


def files(store: ArtifactStore) -> list[Path]:
    return [path for path in store._path(SHA256).parent.parent.rglob("*") if path.is_file()]


def chunk(**fields: Any) -> pb.UploadArtifactRequest:
    return pb.UploadArtifactRequest(chunk=common_pb2.Chunk(**fields))


def upload(data: bytes = DATA, sha256: str = SHA256, size: int = MIB) -> Iterator[pb.UploadArtifactRequest]:
    for offset in range(0, len(data), size):
        first = {"sha256": sha256, "total_bytes": len(data)} if not offset else {}
        yield chunk(offset=offset, data=data[offset : offset + size], **first)


def test_what_is_uploaded_can_be_downloaded_from_anywhere(remote: Remote, store: ArtifactStore) -> None:
    stored = remote.UploadArtifact(upload()).artifact
    assert (stored.uri, stored.sha256, stored.size_bytes) == (f"artifact:sha256/{SHA256}", SHA256, len(DATA))
    assert store.get_bytes(SHA256) == DATA
    for start in (0, 1, MIB, MIB + 1, len(DATA) - 1, len(DATA)):
        request = pb.DownloadArtifactRequest(sha256=SHA256, offset=start)
        chunks = [response.chunk for response in remote.DownloadArtifact(request)]
        offset = start
        for piece in chunks:
            assert (piece.sha256, piece.offset, piece.total_bytes) == (SHA256, offset, len(DATA))
            assert 0 < len(piece.data) <= MIB
            offset += len(piece.data)
        assert b"".join(piece.data for piece in chunks) == DATA[start:]


@pytest.mark.parametrize("size", [MIB, 100_003])
def test_uploading_twice_is_uploading_once(remote: Remote, store: ArtifactStore, size: int) -> None:
    remote.UploadArtifact(upload())
    remote.UploadArtifact(upload(size=size))
    assert files(store) == [store._path(SHA256)]


def test_what_is_missing_is_told_in_the_order_asked(remote: Remote) -> None:
    remote.UploadArtifact(upload())
    asked = [OTHER, SHA256, "0" * 64]
    answer = remote.FindMissingArtifacts(pb.FindMissingArtifactsRequest(sha256=asked))
    assert list(answer.missing_sha256) == [OTHER, "0" * 64]


LATER = [chunk(offset=MIB, data=DATA[MIB : 2 * MIB])]
START = chunk(sha256=SHA256, total_bytes=len(DATA), data=DATA[:MIB])


@pytest.mark.parametrize(
    ("requests", "error", "field"),
    [
        ([], InvalidArgument, "chunk"),
        ([chunk(data=b"x", total_bytes=1)], InvalidArgument, "chunk.sha256"),
        ([chunk(data=b"x", total_bytes=1, sha256="../../etc/passwd")], InvalidArgument, "chunk.sha256"),
        ([chunk(data=b"x", total_bytes=1, sha256=OTHER.upper())], InvalidArgument, "chunk.sha256"),
        ([chunk(data=b"x", sha256=OTHER)], InvalidArgument, "chunk.total_bytes"),
        ([chunk(data=b"x", total_bytes=-1, sha256=OTHER)], InvalidArgument, "chunk.total_bytes"),
        ([chunk(data=b"x", total_bytes=1 << 40, sha256=OTHER)], InvalidArgument, "chunk.total_bytes"),
        ([chunk(data=b"x", total_bytes=2, offset=1, sha256=OTHER)], InvalidArgument, "chunk.offset"),
        ([chunk(data=b"xy", total_bytes=1, sha256=OTHER)], InvalidArgument, "chunk.data"),
        ([chunk(data=b"x" * (MIB + 1), total_bytes=2 * MIB, sha256=OTHER)], InvalidArgument, "chunk.data"),
        ([START, chunk(offset=2 * MIB, data=b"x")], InvalidArgument, "chunk.offset"),  # a hole
        ([START, chunk(offset=0, data=b"x")], InvalidArgument, "chunk.offset"),  # once more
        ([START, chunk(offset=-1, data=b"x")], InvalidArgument, "chunk.offset"),
        ([START, *LATER], InvalidArgument, "chunk.data"),  # truncated
        ([chunk(sha256=SHA256, total_bytes=len(DATA))], InvalidArgument, "chunk.data"),  # empty
        (list(upload(sha256=OTHER)), DataLoss, None),
        (list(upload(data=DATA[:-1] + b"\x00")), DataLoss, None),
    ],
)
def test_an_upload_that_is_wrong_is_refused_and_leaves_nothing(
    remote: Remote, store: ArtifactStore, requests: list[Any], error: type[DonnaError], field: str | None
) -> None:
    with pytest.raises(error) as caught:
        remote.UploadArtifact(iter(requests))
    assert [violation.field for violation in caught.value.violations] == ([field] if field else [])
    assert files(store) == []
    assert remote.UploadArtifact(upload()).artifact.sha256 == SHA256  # and the service goes on


def test_an_upload_that_breaks_off_leaves_nothing(store: ArtifactStore) -> None:
    def breaking() -> Iterator[pb.UploadArtifactRequest]:
        yield START
        raise ConnectionError("the client is gone")

    with serving(artifact_endpoint(store)) as address, grpc.insecure_channel(address) as channel:
        with pytest.raises(grpc.RpcError):
            ArtifactServiceStub(channel).UploadArtifact(breaking(), timeout=60)
    assert files(store) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_an_upload_at_once(
    remote: Remote, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode="r": opened(Path("/dev/full") if mode == "xb" else path, mode.replace("x", "w")),
    )
    many = bytes(40 * MIB)  # more than is buffered anywhere on the way
    with pytest.raises(ResourceExhausted, match="No space left on device"):
        remote.UploadArtifact(upload(many, hashlib.sha256(many).hexdigest()))
    monkeypatch.undo()
    assert files(store) == []


@pytest.mark.parametrize(
    ("sha256", "offset", "error", "field"),
    [
        (OTHER, 0, NotFound, None),
        (SHA256, len(DATA) + 1, InvalidArgument, "offset"),
        (SHA256, -1, InvalidArgument, "offset"),
        ("../" + SHA256, 0, InvalidArgument, "sha256"),
        ("", 0, InvalidArgument, "sha256"),
    ],
)
def test_downloads_that_cannot_be(
    remote: Remote, store: ArtifactStore, sha256: str, offset: int, error: type[DonnaError], field: str | None
) -> None:
    store.put_bytes(DATA)
    with pytest.raises(error) as caught:
        list(remote.DownloadArtifact(pb.DownloadArtifactRequest(sha256=sha256, offset=offset)))
    assert [violation.field for violation in caught.value.violations] == ([field] if field else [])


def test_asking_for_too_much_or_nonsense(remote: Remote) -> None:
    with pytest.raises(InvalidArgument, match="at most 10000 hashes in one call, got 10001"):
        remote.FindMissingArtifacts(pb.FindMissingArtifactsRequest(sha256=[OTHER] * 10_001))
    with pytest.raises(InvalidArgument, match=r"sha256\[1\]"):
        remote.FindMissingArtifacts(pb.FindMissingArtifactsRequest(sha256=[OTHER, "x"]))
