"""Models and fragments on the agent's disk, by the hash of their bytes, within a quota.

Names are hashes that were checked, never text from a request. A file appears under its hash only when it is
complete, right, and safe to run; what came in part waits beside it, so that an upload can go on.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from donna.artifacts import check_sha256
from donna.errors import DataLoss, FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from donna.graphs import Limits, check


class ModelStore:
    """`quota_bytes` bounds complete files together; the least recently used leave first."""

    def __init__(self, folder: Path, *, quota_bytes: int, limits: Limits | None = None) -> None:
        self._folder = folder
        self._partial = folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._quota_bytes = quota_bytes
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._arriving: set[str] = set()

    def missing(self, hashes: Iterable[str]) -> list[str]:
        """Those that are not here, in the order given."""
        return [sha256 for sha256 in hashes if not self._path(sha256).is_file()]

    def partial_bytes(self, sha256: str) -> int:
        """How many bytes of an unfinished upload are here."""
        try:
            return self._partial_path(sha256).stat().st_size
        except FileNotFoundError:
            return 0

    def get(self, sha256: str) -> bytes:
        """The bytes. Raises FailedPrecondition (MODEL_MISSING) when they are not here (any more)."""
        path = self._path(sha256)
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            raise FailedPrecondition(
                f"model {sha256} is not on this host; upload it first",
                reason="MODEL_MISSING",
                metadata={"sha256": sha256},
            ) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            path.unlink(missing_ok=True)
            raise FailedPrecondition(
                f"model {sha256} was damaged on this host; upload it again",
                reason="MODEL_MISSING",
                metadata={"sha256": sha256},
            )
        return data

    def arrival(self, sha256: str, total_bytes: int, offset: int) -> Arrival:
        """Begins an upload, or goes on with one at `offset`, the number of bytes that are here.

        Raises InvalidArgument for another offset, ResourceExhausted for more bytes than may be kept,
        Unavailable when the same file is arriving already.
        """
        check_sha256(sha256)
        most = min(self._limits.size_bytes, self._quota_bytes)
        if total_bytes > most:
            said = f"the model has {total_bytes} bytes, this host keeps at most {most}"
            raise ResourceExhausted(said, reason="MODEL_TOO_LARGE")
        with self._lock:
            if sha256 in self._arriving:
                raise Unavailable(f"model {sha256} is being uploaded by somebody else", retry_after_s=1.0)
            here = self.partial_bytes(sha256)
            if offset not in (0, here):
                raise InvalidArgument.of("chunk.offset", f"must be 0 or {here}, got {offset}")
            self._arriving.add(sha256)
        return Arrival(self, sha256, self._partial_path(sha256), fresh=offset == 0)

    def _admit(self, sha256: str, path: Path) -> int:
        """A complete file comes under its name; returns its size. Raises DataLoss and InvalidArgument."""
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            path.unlink()
            raise DataLoss(f"the bytes have sha256 {found}, not {sha256}", reason="HASH_MISMATCH")
        try:
            check(data, limits=self._limits)
        except InvalidArgument:
            path.unlink()
            raise
        with self._lock:
            self._make_room(len(data))
            path.replace(self._path(sha256))
        return len(data)

    def _make_room(self, size_bytes: int) -> None:
        kept = sorted((p for p in self._folder.iterdir() if p.is_file()), key=lambda p: p.stat().st_mtime)
        sizes = [path.stat().st_size for path in kept]
        excess = sum(sizes) + size_bytes - self._quota_bytes
        for path, size in zip(kept, sizes, strict=True):
            if excess <= 0:
                return
            path.unlink()
            excess -= size

    def _end(self, sha256: str) -> None:
        with self._lock:
            self._arriving.discard(sha256)

    def _path(self, sha256: str) -> Path:
        return self._folder / check_sha256(sha256)

    def _partial_path(self, sha256: str) -> Path:
        return self._partial / check_sha256(sha256)


class Arrival:
    """One upload in progress. What was written stays when it is left unfinished."""

    def __init__(self, store: ModelStore, sha256: str, path: Path, *, fresh: bool) -> None:
        self._store = store
        self._sha256 = sha256
        self._path = path
        self._file = path.open("wb" if fresh else "ab")

    def write(self, data: bytes) -> None:
        """The next piece. Raises ResourceExhausted when the disk is full."""
        try:
            self._file.write(data)
        except OSError as error:
            raise ResourceExhausted(
                f"this host cannot keep the model: {error.strerror}", reason="DISK_FULL"
            ) from error

    def finish(self) -> int:
        """Checks the whole and keeps it; returns its size. Raises DataLoss or InvalidArgument, keeping nothing."""
        self._file.close()
        return self._store._admit(self._sha256, self._path)

    def close(self) -> None:
        """Ends the upload, finished or not."""
        try:
            self._file.close()
        finally:
            self._store._end(self._sha256)
