"""The artifact store: whole or not at all, and what is read is what was written."""

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from donna import artifacts as module
from donna.artifacts import ArtifactStore, check_sha256, check_uri
from donna.errors import (
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)

DATA = b"some weights" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def store(folder: Path) -> ArtifactStore:
    return ArtifactStore(folder)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", [b"", b"x", DATA, bytes(3 << 20)])
def test_bytes_come_back(store: ArtifactStore, data: bytes) -> None:
    artifact = store.put_bytes(data)
    assert artifact.sha256 == hashlib.sha256(data).hexdigest()
    assert artifact.uri == f"artifact:sha256/{artifact.sha256}"
    assert artifact.size_bytes == len(data)
    assert store.has(artifact.sha256)
    assert store.get_bytes(artifact.sha256) == data
    assert store.describe(artifact.sha256) == artifact
    assert b"".join(store.pieces(artifact.sha256)) == data
    assert b"".join(store.pieces(artifact.sha256, offset=len(data) // 2)) == data[len(data) // 2 :]


def test_equal_bytes_are_one_file_in_whatever_pieces(store: ArtifactStore, folder: Path) -> None:
    assert store.put_bytes(DATA) == store.put_stream([DATA[:5], b"", DATA[5:]], SHA256)
    assert files(folder) == [f"{SHA256[:2]}/{SHA256}"]


def test_a_file_has_the_permissions_of_any_new_file(store: ArtifactStore) -> None:
    """Services of one installation share the store under different users."""
    mask = os.umask(0o022)
    try:
        mode = stat.S_IMODE(store._path(store.put_bytes(DATA).sha256).stat().st_mode)
    finally:
        os.umask(mask)
    assert mode == 0o644


def test_a_file_appears_only_when_it_is_whole(store: ArtifactStore, folder: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield DATA[:10]
        assert not store.has(SHA256)
        assert [name[:10] for name in files(folder)] == [".incoming-"]
        yield DATA[10:]

    store.put_stream(pieces())
    assert store.has(SHA256)


def test_a_source_that_breaks_leaves_nothing(store: ArtifactStore, folder: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield DATA[:10]
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        store.put_stream(pieces())
    assert files(folder) == []


def test_other_bytes_than_promised_leave_nothing(store: ArtifactStore, folder: Path) -> None:
    with pytest.raises(DataLoss, match=f"not {'0' * 64}") as caught:
        store.put_stream([DATA], "0" * 64)
    assert caught.value.reason == "HASH_MISMATCH"
    assert files(folder) == []


@pytest.mark.parametrize("where", ["write", "fsync", "replace", "mkdir"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    store: ArtifactStore, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if where == "fsync":
            patch.setattr(module.os, "fsync", full)
        elif where == "write":
            opened = Path.open

            def open_full(path: Path, *arguments: object) -> object:
                file = opened(path, *arguments)  # type: ignore[arg-type,call-overload]

                class Full:
                    write, close = full, file.close

                return Full()

            patch.setattr(Path, "open", open_full)
        else:
            patch.setattr(Path, where, full)
        with pytest.raises(ResourceExhausted, match="cannot be written: No space left on device") as caught:
            store.put_bytes(DATA)
    assert (caught.value.reason, caught.value.retry_after_s) == ("DISK_FULL", 60.0)
    assert files(folder) == []
    assert not store.has(SHA256)
    store.put_bytes(DATA)  # when there is room again
    assert store.get_bytes(SHA256) == DATA


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_really_full(
    store: ArtifactStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode: opened(Path("/dev/full"), "wb") if mode == "xb" else opened(path, mode),
    )
    for data in (b"little", bytes(1 << 20)):  # found at the flush, and at the write
        with pytest.raises(ResourceExhausted, match="No space left on device"):
            store.put_bytes(data)
    assert files(folder) == []


def test_some_of_the_disk_is_left_to_others(folder: Path) -> None:
    free = shutil.disk_usage(folder.parent).free
    store = ArtifactStore(folder, free_bytes=free // 2)
    store.put_bytes(DATA)
    with pytest.raises(ResourceExhausted, match=rf"bytes left, of which {free // 2} are kept free") as caught:
        with store.incoming(size_bytes=free // 2 + (64 << 20)):
            pass
    assert (caught.value.reason, caught.value.retry_after_s) == ("DISK_FULL", 60.0)
    full = ArtifactStore(folder, free_bytes=2 * free)
    with pytest.raises(ResourceExhausted, match="bytes left"):
        full.put_bytes(DATA + DATA)
    assert full.get_bytes(SHA256) == DATA
    assert files(folder) == [f"{SHA256[:2]}/{SHA256}"]


def test_a_name_outlives_a_loss_of_power(
    store: ArtifactStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder with a new name in it is synced, after the name is there."""
    synced, fsync = [], os.fsync

    def noted(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, store.has(SHA256)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    store.put_bytes(DATA)
    inner = store._path(SHA256).parent
    assert [(folder.stat().st_ino, False), (inner.stat().st_ino, True)] == synced[1:]


def test_a_store_that_is_gone_says_so(store: ArtifactStore, folder: Path) -> None:
    store.check()
    assert files(folder) == []
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(Unavailable, match="cannot be written: No such file or directory"):
        store.check()


def test_a_damaged_file_is_never_given_out_and_can_be_mended(store: ArtifactStore) -> None:
    store.put_bytes(DATA)
    path = store._path(SHA256)
    for damaged in (DATA[:-1] + b"?", DATA[:-1], b"", DATA + b"!"):
        path.write_bytes(damaged)
        with pytest.raises(DataLoss, match=f"artifact {SHA256} is damaged") as caught:
            store.get_bytes(SHA256)
        assert caught.value.metadata == {"sha256": SHA256}
    store.put_bytes(DATA)
    assert store.get_bytes(SHA256) == DATA


def test_what_is_not_there_is_not_found(store: ArtifactStore) -> None:
    assert not store.has(SHA256)
    for ask in (store.get_bytes, store.describe, lambda sha256: list(store.pieces(sha256))):
        with pytest.raises(NotFound, match=SHA256):
            ask(SHA256)


def test_many_threads_write_the_same_bytes(store: ArtifactStore, folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({artifact.sha256 for artifact in pool.map(store.put_bytes, [DATA] * 40)}) == 1
    assert files(folder) == [f"{SHA256[:2]}/{SHA256}"]
    assert store.get_bytes(SHA256) == DATA


def test_many_processes_write_the_same_bytes(folder: Path) -> None:
    code = (
        "import sys; from donna.artifacts import ArtifactStore; store = ArtifactStore(sys.argv[1])\n"
        "for n in range(20): store.get_bytes(store.put_bytes(b'same').sha256)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(folder)]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0] * 3
    assert len(files(folder)) == 1


def test_what_killed_writers_left_is_swept_when_it_is_old(folder: Path, store: ArtifactStore) -> None:
    store.put_bytes(DATA)
    old, new = folder / ".incoming-old", folder / ".incoming-new"
    for path in (old, new):
        path.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    for path in (old, store._path(SHA256)):
        os.utime(path, (two_days_ago, two_days_ago))
    ArtifactStore(folder)
    assert files(folder) == [".incoming-new", f"{SHA256[:2]}/{SHA256}"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FailedPrecondition, match="the artifact store cannot be written: Not a directory"):
        ArtifactStore(tmp_path / "file" / "artifacts")


HOSTILE = [
    "", ".", "..", "../" * 20 + "etc/passwd", "/etc/passwd", SHA256.upper(), SHA256[:-1], SHA256 + "0",
    SHA256 + "\n", " " + SHA256, SHA256[:-1] + "/", SHA256[:62] + "..", SHA256[:-1] + "\x00", "é" * 64, "٣" * 64,
]  # fmt: skip


@pytest.mark.parametrize("sha256", HOSTILE)
def test_hostile_hashes_name_no_file(store: ArtifactStore, sha256: str) -> None:
    for ask in (store.has, store.describe, store.get_bytes, store.remove, check_sha256):
        with pytest.raises(InvalidArgument, match="64 lower-case hexadecimal digits") as caught:
            ask(sha256)
        assert [violation.field for violation in caught.value.violations] == ["sha256"]


@given(st.text(max_size=80))
def test_no_text_but_a_hash_is_a_hash(text: str) -> None:
    good = len(text) == 64 and set(text) <= set("0123456789abcdef")
    try:
        assert check_sha256(text) == text
        assert good
    except InvalidArgument:
        assert not good


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "s3://bucket/key",
        f"artifact:sha256/{'0' * 64}",
        f"artifact:sha256/../{SHA256}",
        SHA256,
    ],
)
def test_a_uri_must_say_what_the_hash_says(uri: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_uri(uri, SHA256, "spec.weights")
    assert [violation.field for violation in caught.value.violations] == ["spec.weights.uri"]
    assert check_uri("", SHA256) == check_uri(f"artifact:sha256/{SHA256}", SHA256) == SHA256
