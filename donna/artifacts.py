"""The artifact store: files addressed by the SHA-256 of their content, in a folder or in object storage.

Keys are made here, never by a client, so no name in a request can point outside the store. A file appears
under its hash only when it is complete (written beside, synced, renamed), and is checked whenever it is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from donna import durable
from donna.errors import (
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)

URI_PREFIX = "artifact:sha256/"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_INCOMING = ".incoming-"
_ABANDONED_S = 24 * 3600.0
MAX_JSON_BYTES = 64 << 20
"""Of what a request names by hash and a service parses whole in memory: manifests and predictors."""
FREE_BYTES = 256 << 20
DISK_FULL_RETRY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Stored bytes: where, which, how many."""

    sha256: str
    size_bytes: int

    @property
    def uri(self) -> str:
        return URI_PREFIX + self.sha256


def check_sha256(sha256: str, field: str = "sha256") -> str:
    """The hash, if it is one. Raises InvalidArgument naming `field`."""
    if not _SHA256.fullmatch(sha256):
        raise InvalidArgument.of(field, f"must be 64 lower-case hexadecimal digits, got {sha256[:80]!r}")
    return sha256


def check_uri(uri: str, sha256: str, field: str = "artifact") -> str:
    """The hash of an artifact named by (uri, sha256). Raises InvalidArgument unless both say the same."""
    check_sha256(sha256, f"{field}.sha256")
    if uri and uri != URI_PREFIX + sha256:
        raise InvalidArgument.of(f"{field}.uri", f"must be {URI_PREFIX + sha256!r}, got {uri[:120]!r}")
    return sha256


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = f"the artifact store cannot be written: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(said) from error
        raise FailedPrecondition(said, reason="STORE_NOT_WRITABLE") from error


def _disk_full(said: str) -> ResourceExhausted:
    return ResourceExhausted(said, reason="DISK_FULL", retry_after_s=DISK_FULL_RETRY_S)


class Incoming:
    """Bytes on their way into the store, hashed as they come; made by `ArtifactStore.incoming`."""

    def __init__(self, file: BinaryIO, path: Path, place: Callable[[Path, str], None]) -> None:
        self._file = file
        self._path = path
        self._place = place
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Adds the next piece. Raises ResourceExhausted when the disk is full."""
        with _written():
            self._file.write(piece)
        self._digest.update(piece)
        self._size += len(piece)

    def finish(self, expected_sha256: str | None = None) -> Artifact:
        """Puts the file in its place, whole and on the disk. Raises DataLoss when it is not what was expected."""
        sha256 = self._digest.hexdigest()
        if expected_sha256 is not None and sha256 != expected_sha256:
            raise DataLoss(f"the bytes have sha256 {sha256}, not {expected_sha256}", reason="HASH_MISMATCH")
        with _written():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._place(self._path, sha256)
        return Artifact(sha256=sha256, size_bytes=self._size)


class ArtifactStore:
    """A folder of artifacts, shared by the services of one installation.

    Artifacts leave `free_bytes` of its disk to whatever else is there: the tables of the jobs, for one. Raises
    FailedPrecondition when the folder cannot be made.
    """

    def __init__(self, folder: Path | str, *, free_bytes: int = FREE_BYTES) -> None:
        self._root = Path(folder)
        self._free_bytes = free_bytes
        with _written():
            self._root.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Removes what writers that were killed left half-written long ago."""
        for left in self._root.glob(f"{_INCOMING}*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    left.unlink()

    def check(self) -> None:
        """Raises Unavailable unless the store is there and can be written."""
        try:
            durable.probe(self._root)
        except OSError as error:
            raise Unavailable(
                f"the artifact store cannot be written: {error.strerror}", reason="STORE_NOT_WRITABLE"
            ) from error

    def _path(self, sha256: str) -> Path:
        """Where the file is, or would be."""
        check_sha256(sha256)
        return self._root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """True when the store holds it."""
        return self._path(sha256).is_file()

    def describe(self, sha256: str) -> Artifact:
        """Its size. Raises NotFound."""
        try:
            return Artifact(sha256=sha256, size_bytes=self._path(sha256).stat().st_size)
        except FileNotFoundError:
            raise NotFound(f"artifact {sha256} does not exist", metadata={"sha256": sha256}) from None

    def named(self, sha256: str) -> Artifact:
        """The artifact as a record of ours names it; its size is 0 once it is gone, which is no reason not to list
        what names it."""
        try:
            return self.describe(sha256)
        except NotFound:
            return Artifact(sha256=sha256, size_bytes=0)

    def put_bytes(self, data: bytes) -> Artifact:
        """Stores bytes; storing the same bytes again changes nothing."""
        return self.put_stream([data])

    def put_stream(self, pieces: Iterable[bytes], expected_sha256: str | None = None) -> Artifact:
        """Stores what the pieces add up to. Raises DataLoss when it is not what was expected, and
        ResourceExhausted when the disk is full; then nothing is stored."""
        with self.incoming() as incoming:
            for piece in pieces:
                incoming.write(piece)
            return incoming.finish(expected_sha256)

    @contextmanager
    def incoming(self, size_bytes: int = 0) -> Iterator[Incoming]:
        """A file that is not an artifact yet; without a `finish` nothing is stored.

        Raises ResourceExhausted when `size_bytes`, as far as they are known, leave too little of the disk.
        """
        with _written():
            free_bytes = shutil.disk_usage(self._root).free
        if free_bytes - size_bytes < self._free_bytes:
            raise _disk_full(
                f"the disk of the artifacts has {free_bytes} bytes left, of which {self._free_bytes} are kept free"
            )
        path = self._root / f"{_INCOMING}{secrets.token_hex(8)}"
        with _written():
            file = path.open("xb")
        try:
            yield Incoming(file, path, self._place)
        finally:
            with suppress(OSError):  # a full disk refuses what is still buffered, and that is not wanted
                file.close()
            path.unlink(missing_ok=True)

    def _place(self, written: Path, sha256: str) -> None:
        """Takes a file that is whole and synced into the store."""
        final = self._path(sha256)
        if not final.parent.is_dir():
            final.parent.mkdir(exist_ok=True)
            durable.sync_folder(self._root)
        durable.place(written, final)

    def _read(self, sha256: str) -> bytes:
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"artifact {sha256} does not exist", metadata={"sha256": sha256}) from None

    def remove(self, sha256: str) -> None:
        """Forgets an artifact that nothing refers to; one that is not there is fine."""
        self._path(sha256).unlink(missing_ok=True)

    def get_bytes(self, sha256: str, *, at_most: int | None = None) -> bytes:
        """The bytes. Raises NotFound, DataLoss when the file is not what it was, and InvalidArgument, with nothing
        read, when they are more than `at_most`."""
        if at_most is not None and (size_bytes := self.describe(sha256).size_bytes) > at_most:
            raise InvalidArgument(
                f"artifact {sha256} has {size_bytes} bytes, what it is named for has {at_most} at most",
                reason="ARTIFACT_TOO_LARGE",
                metadata={"sha256": sha256},
            )
        data = self._read(sha256)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DataLoss(
                f"artifact {sha256} is damaged", reason="ARTIFACT_DAMAGED", metadata={"sha256": sha256}
            )
        return data

    def pieces(self, sha256: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` in pieces of at most 1 MiB; the receiver checks the hash of the whole."""
        self.describe(sha256)
        with self._path(sha256).open("rb") as file:
            file.seek(offset)
            while piece := file.read(_CHUNK):
                yield piece
