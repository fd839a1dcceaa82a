"""A block library as commands name it: a resource of the distiller, or a manifest file."""

from __future__ import annotations

from pathlib import Path

from donna.client import Client
from donna.errors import FailedPrecondition, InvalidArgument
from donna.space.library import Library
from donna.v1 import common_pb2

COLLECTION = "blockLibraries"


def needs(name: str, *services: str) -> tuple[str, ...]:
    """The services that a command needs for this library: the distiller too when it is a resource."""
    return (*services, "distiller") if name.startswith(f"{COLLECTION}/") else services


def open_library(client: Client, name: str) -> tuple[common_pb2.Artifact, Library]:
    """The manifest as an artifact and as a library. Raises InvalidArgument, NotFound or FailedPrecondition."""
    if name.startswith(f"{COLLECTION}/"):
        resource = client.get(name)
        if not resource.manifest.sha256:
            raise FailedPrecondition(f"{name} has no manifest yet; watch it with: donna jobs watch {name}")
        return resource.manifest, client.manifest(resource.manifest)
    library = read_manifest(name)
    return client.upload(Path(name)), library


def read_manifest(name: str) -> Library:
    """The library of a manifest file."""
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise InvalidArgument.of(
            "--library", f"{name!r} is neither {COLLECTION}/… nor a file that can be read: {error.strerror}"
        ) from None
    return Library.from_json(data)
