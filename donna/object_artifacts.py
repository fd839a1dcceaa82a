"""Artifacts in S3-compatible object storage: the same store, for services that share no disk.

An object appears under its hash only when all of it has arrived: single puts and multipart uploads are atomic, and
an interrupted one leaves nothing that can be read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from donna.artifacts import FREE_BYTES, Artifact, ArtifactStore, check_sha256
from donna.errors import InvalidArgument, NotFound, Unavailable

SCHEME = "s3://"
REQUEST_TIMEOUT = timedelta(seconds=60)
RETRY_FOR = timedelta(seconds=20)
_CHUNK = 1 << 20
_NOBODYS = "0" * 64
"""A hash that no bytes are known to have: asked for, it tells whether the storage answers."""
_PART_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class S3Access:
    """How to reach a store that is not the cloud's own; what is empty is found as AWS tools find it."""

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""


class ObjectArtifactStore(ArtifactStore):
    """Artifacts as objects `<prefix>/<first two digits>/<sha256>` of a bucket.

    Bytes on their way in wait in a local folder until their hash is known. Raises InvalidArgument for a url that is
    not s3://bucket/prefix; calls raise Unavailable while the storage does not answer.
    """

    def __init__(
        self,
        url: str,
        access: S3Access | None = None,
        *,
        spool: Path | None = None,
        free_bytes: int = FREE_BYTES,
    ) -> None:
        bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        if not url.startswith(SCHEME) or not bucket:
            raise InvalidArgument.of("artifacts", f"must read like s3://bucket/prefix, got {url!r}")
        super().__init__(spool or Path(tempfile.gettempdir()) / "donna-artifacts", free_bytes=free_bytes)
        self._prefix = prefix.strip("/")
        self._store = _open(bucket, access or S3Access())

    def check(self) -> None:
        super().check()
        self.has(_NOBODYS)

    def _key(self, sha256: str) -> str:
        check_sha256(sha256)
        return "/".join(filter(None, (self._prefix, sha256[:2], sha256)))

    def has(self, sha256: str) -> bool:
        try:
            self.describe(sha256)
        except NotFound:
            return False
        return True

    def describe(self, sha256: str) -> Artifact:
        with _answered(sha256):
            head = obstore.head(self._store, self._key(sha256))
        return Artifact(sha256=sha256, size_bytes=head["size"])

    def _place(self, written: Path, sha256: str) -> None:
        with _answered(sha256):
            obstore.put(self._store, self._key(sha256), written, chunk_size=_PART_BYTES)

    def _read(self, sha256: str) -> bytes:
        with _answered(sha256):
            return obstore.get(self._store, self._key(sha256)).bytes().to_bytes()

    def remove(self, sha256: str) -> None:
        try:
            with _answered(sha256):
                obstore.delete(self._store, self._key(sha256))
        except NotFound:
            return

    def pieces(self, sha256: str, offset: int = 0) -> Iterator[bytes]:
        size = self.describe(sha256).size_bytes
        while offset < size:
            with _answered(sha256):
                piece = obstore.get_range(
                    self._store, self._key(sha256), start=offset, end=min(offset + _CHUNK, size)
                ).to_bytes()
            yield piece
            offset += len(piece)


def _open(bucket: str, access: S3Access) -> S3Store:
    given = {
        "endpoint": access.endpoint,
        "region": access.region,
        "access_key_id": access.access_key,
        "secret_access_key": access.secret_key,
    }
    return S3Store(
        bucket,
        config={  # type: ignore[arg-type]
            "checksum_algorithm": "SHA256",  # the storage refuses what was damaged on the way
            "virtual_hosted_style_request": not access.endpoint,
            **{name: value for name, value in given.items() if value},
        },
        client_options={
            "allow_http": access.endpoint.startswith("http://"),
            "timeout": REQUEST_TIMEOUT,
        },
        retry_config={
            "max_retries": 8,
            "retry_timeout": RETRY_FOR,
            "backoff": {
                "base": 2,
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=5),
            },
        },
    )


@contextmanager
def _answered(sha256: str) -> Iterator[None]:
    """The storage's errors as ours."""
    try:
        yield
    except (FileNotFoundError, NotFoundError):
        raise NotFound(f"artifact {sha256} does not exist", metadata={"sha256": sha256}) from None
    except BaseError as error:
        kind = type(error).__name__
        raise Unavailable(
            f"the artifact storage does not answer as it should ({kind})", reason="STORAGE_UNAVAILABLE"
        ) from error
