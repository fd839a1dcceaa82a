"""The artifact store over gRPC: the same servicer in every service that has the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from donna.artifacts import ArtifactStore, check_sha256
from donna.errors import DeadlineExceeded, InvalidArgument
from donna.rpc.messages import artifact_message
from donna.rpc.server import Endpoint
from donna.v1 import artifacts_pb2 as pb
from donna.v1 import artifacts_pb2_grpc, common_pb2

MAX_HASHES = 10_000
MAX_ARTIFACT_BYTES = 4 << 30
MAX_CHUNK_BYTES = 1 << 20
IDLE_S = 60.0
"""An upload of which nothing more comes for so long is given up: it holds a file and a place."""


def check_hashes(hashes: Any) -> list[str]:
    """At most 10,000 well-formed hashes. Raises InvalidArgument."""
    if len(hashes) > MAX_HASHES:
        raise InvalidArgument.of("sha256", f"at most {MAX_HASHES} hashes in one call, got {len(hashes)}")
    return [check_sha256(sha256, f"sha256[{index}]") for index, sha256 in enumerate(hashes)]


async def receive(requests: AsyncIterator[Any]) -> AsyncIterator[common_pb2.Chunk]:
    """The chunks of an upload, checked: hash and size in the first, none empty, in order, not more than promised.

    Raises InvalidArgument naming the field of the chunk, and DeadlineExceeded when none comes for a while.
    """
    sha256, total, received = "", 0, 0
    async for request in _without_pauses(requests):
        chunk = request.chunk
        if not sha256:
            sha256, total, received = (
                check_sha256(chunk.sha256, "chunk.sha256"),
                chunk.total_bytes,
                chunk.offset,
            )
            if not 0 < total <= MAX_ARTIFACT_BYTES:
                raise InvalidArgument.of(
                    "chunk.total_bytes", f"must be in 1..{MAX_ARTIFACT_BYTES}, got {total}"
                )
        if chunk.offset != received:
            raise InvalidArgument.of("chunk.offset", f"must be {received}, got {chunk.offset}")
        if not 0 < len(chunk.data) <= MAX_CHUNK_BYTES:
            raise InvalidArgument.of(
                "chunk.data", f"must have 1..{MAX_CHUNK_BYTES} bytes, got {len(chunk.data)}"
            )
        received += len(chunk.data)
        if received > total:
            raise InvalidArgument.of("chunk.data", f"goes past the promised {total} bytes")
        yield chunk
    if not sha256:
        raise InvalidArgument.of("chunk", "an upload needs at least one chunk")
    if received != total:
        raise InvalidArgument.of("chunk.data", f"ended after {received} of {total} bytes")


async def _without_pauses(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                request = await anext(requests)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise DeadlineExceeded(f"nothing more of the upload came for {IDLE_S:g} s") from None
        yield request


class ArtifactServicer(artifacts_pb2_grpc.ArtifactServiceServicer):
    """Downloads, uploads and presence by hash."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def FindMissingArtifacts(
        self, request: pb.FindMissingArtifactsRequest, context: Any
    ) -> pb.FindMissingArtifactsResponse:
        missing = [sha256 for sha256 in check_hashes(request.sha256) if not self._store.has(sha256)]
        return pb.FindMissingArtifactsResponse(missing_sha256=missing)

    async def DownloadArtifact(
        self, request: pb.DownloadArtifactRequest, context: Any
    ) -> AsyncIterator[pb.DownloadArtifactResponse]:
        artifact = await asyncio.to_thread(self._store.describe, check_sha256(request.sha256))
        if not 0 <= request.offset <= artifact.size_bytes:
            raise InvalidArgument.of("offset", f"must be in 0..{artifact.size_bytes}, got {request.offset}")
        offset = request.offset
        pieces = self._store.pieces(request.sha256, offset)
        while piece := await asyncio.to_thread(next, pieces, b""):
            chunk = common_pb2.Chunk(
                sha256=artifact.sha256, offset=offset, total_bytes=artifact.size_bytes, data=piece
            )
            yield pb.DownloadArtifactResponse(chunk=chunk)
            offset += len(piece)

    async def UploadArtifact(
        self, request_iterator: AsyncIterator[pb.UploadArtifactRequest], context: Any
    ) -> pb.UploadArtifactResponse:
        chunks = receive(request_iterator)
        first = await anext(chunks)
        if first.offset:
            raise InvalidArgument.of("chunk.offset", f"an upload starts at 0, got {first.offset}")
        with self._store.incoming(first.total_bytes) as incoming:
            await asyncio.to_thread(incoming.write, first.data)
            async for chunk in chunks:
                await asyncio.to_thread(incoming.write, chunk.data)
            stored = await asyncio.to_thread(incoming.finish, first.sha256)
        return pb.UploadArtifactResponse(artifact=artifact_message(stored))


def artifact_endpoint(store: ArtifactStore) -> Endpoint:
    """The artifact store as one more endpoint of a server."""
    return Endpoint(
        add=artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server,
        servicer=ArtifactServicer(store),
        name=pb.DESCRIPTOR.services_by_name["ArtifactService"].full_name,
    )
