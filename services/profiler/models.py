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
from typing import BinaryIO

from donna.artifacts import check_sha256
from donna.errors import DataLoss, FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from donna.graphs import Limits, check


class ModelStore:
    """`quota_bytes` bounds all files together, those that came in part and those that are coming included; the least
    recently used leave first."""

    def __init__(self, folder: Path, *, quota_bytes: int, limits: Limits | None = None) -> None:
        self._folder = folder
        self._partial = folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._quota_bytes = quota_bytes
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._checking = threading.Lock()
        self._arriving: dict[str, int] = {}
        """What is being uploaded, with the size that it will have."""

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

    def arrival(self) -> Arrival:
        """An upload, which begins with `Arrival.begin`."""
        return Arrival(self)

    def _open(self, sha256: str, total_bytes: int, offset: int) -> BinaryIO:
        path = self._partial_path(sha256)
        most = min(self.limits.size_bytes, self._quota_bytes)
        if total_bytes > most:
            said = f"the model has {total_bytes} bytes, this host keeps at most {most}"
            raise ResourceExhausted(said, reason="MODEL_TOO_LARGE")
        with self._lock:
            if sha256 in self._arriving:
                raise Unavailable(f"model {sha256} is being uploaded by somebody else", retry_after_s=1.0)
            here = self.partial_bytes(sha256)
            if offset not in (0, here):
                raise InvalidArgument.of("chunk.offset", f"must be 0 or {here}, got {offset}")
            self._make_room(sha256, total_bytes)
            try:
                file = path.open("ab" if offset else "wb")
            except OSError as error:
                raise _full(error) from error
            self._arriving[sha256] = total_bytes
            return file

    def _admit(self, sha256: str) -> int:
        """A complete file comes under its name; returns its size. Raises DataLoss and InvalidArgument."""
        path = self._partial_path(sha256)
        with self._checking:  # a model takes its size several times over while it is checked
            data = path.read_bytes()
            found = hashlib.sha256(data).hexdigest()
            try:
                if found != sha256:
                    raise DataLoss(f"the bytes have sha256 {found}, not {sha256}", reason="HASH_MISMATCH")
                check(data, limits=self.limits)
            except (DataLoss, InvalidArgument):
                path.unlink()
                raise
        path.replace(self._path(sha256))
        return len(data)

    def _make_room(self, coming: str, size_bytes: int) -> None:
        """Raises ResourceExhausted when other uploads have taken all there is."""
        kept = [*self._arriving, coming]
        idle = [
            (entry.stat().st_mtime, entry.stat().st_size, Path(entry.path))
            for folder in (self._folder, self._partial)
            for entry in os.scandir(folder)
            if entry.is_file() and entry.name not in kept
        ]
        excess = size_bytes + sum(self._arriving.values()) + sum(size for _, size, _ in idle)
        excess -= self._quota_bytes
        for _, size, path in sorted(idle):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size
        if excess > 0:
            said = f"{len(self._arriving)} uploads have taken this host's quota of {self._quota_bytes} bytes"
            raise ResourceExhausted(said, reason="QUOTA_TAKEN", retry_after_s=5.0)

    def _end(self, sha256: str) -> None:
        with self._lock:
            self._arriving.pop(sha256, None)

    def _path(self, sha256: str) -> Path:
        return self._folder / check_sha256(sha256)

    def _partial_path(self, sha256: str) -> Path:
        return self._partial / check_sha256(sha256)


class Arrival:
    """One upload. What was written stays when it is left unfinished. Calls follow each other: none while another
    is under way."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._sha256 = ""
        self._file: BinaryIO | None = None

    def begin(self, sha256: str, total_bytes: int, offset: int) -> None:
        """Begins at the start, or goes on at `offset`, the number of bytes that are here.

        Raises InvalidArgument for another offset, ResourceExhausted for more bytes than may be kept, Unavailable when
        the same file is arriving already.
        """
        self._file = self._store._open(sha256, total_bytes, offset)
        self._sha256 = sha256

    @property
    def begun(self) -> bool:
        """Whether `begin` has succeeded."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """The next piece. Raises ResourceExhausted when the disk is full."""
        assert self._file is not None  # noqa: S101 - begin comes first
        try:
            self._file.write(data)
        except OSError as error:
            raise _full(error) from error

    def finish(self) -> int:
        """Checks the whole and keeps it; returns its size. Raises ResourceExhausted when the disk is full, DataLoss or
        InvalidArgument, keeping nothing."""
        assert self._file is not None  # noqa: S101 - begin comes first
        try:
            self._file.close()  # writes what was not written yet
        except OSError as error:
            raise _full(error) from error
        return self._store._admit(self._sha256)

    def close(self) -> None:
        """Ends the upload, finished or not."""
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError:
            pass  # told by `finish`, or nobody waits for it any more
        finally:
            self._store._end(self._sha256)


def _full(error: OSError) -> ResourceExhausted:
    return ResourceExhausted(f"this host cannot keep the model: {error.strerror}", reason="DISK_FULL")
