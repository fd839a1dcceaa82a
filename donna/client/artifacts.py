"""Artifacts and models on their way: sent in chunks, read back checked, sent anew when the line breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from donna.errors import DataLoss
from donna.v1 import artifacts_pb2, common_pb2

CHUNK_BYTES = 1 << 20
UPLOAD_DEADLINE_S = 3600.0


def chunks(data: bytes, sha256: str, start: int = 0) -> Iterator[common_pb2.Chunk]:
    """The file from `start` on, piece by piece; the whole of it when nothing is left: an upload needs a piece."""
    if start >= len(data):
        start = 0
    for offset in range(start, len(data), CHUNK_BYTES):
        yield common_pb2.Chunk(
            sha256=sha256, offset=offset, total_bytes=len(data), data=data[offset : offset + CHUNK_BYTES]
        )


def download(store: Any, artifact: common_pb2.Artifact) -> bytes:
    """The bytes of an artifact. Raises NotFound or DataLoss."""
    request = artifacts_pb2.DownloadArtifactRequest(sha256=artifact.sha256)
    data = b"".join(response.chunk.data for response in store.DownloadArtifact(request))
    if hashlib.sha256(data).hexdigest() != artifact.sha256:
        raise DataLoss(f"artifact {artifact.sha256} arrived damaged", reason="HASH_MISMATCH")
    return data


def upload(store: Any, data: bytes) -> common_pb2.Artifact:
    """Stores bytes as an artifact, unless the store has them."""
    sha256 = hashlib.sha256(data).hexdigest()
    request = artifacts_pb2.FindMissingArtifactsRequest(sha256=[sha256])
    if store.FindMissingArtifacts(request).missing_sha256:
        sent = (artifacts_pb2.UploadArtifactRequest(chunk=chunk) for chunk in chunks(data, sha256))
        return store.UploadArtifact(sent, deadline_s=UPLOAD_DEADLINE_S).artifact
    return common_pb2.Artifact(uri=f"artifact:sha256/{sha256}", sha256=sha256, size_bytes=len(data))
