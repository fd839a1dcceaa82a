"""Messages that every service speaks: jobs, artifacts, architectures, structures <-> our records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf import struct_pb2, timestamp_pb2

from donna.artifacts import Artifact, check_uri
from donna.errors import DonnaError, InvalidArgument
from donna.jobs.record import Job
from donna.space import Architecture
from donna.v1 import common_pb2 as pb

_INTEGER_COSTS = {field.name for field in pb.Cost.DESCRIPTOR.fields if field.cpp_type == field.CPPTYPE_INT64}
MAX_REQUEST_ID = 128
_EXACT = 2.0**53  # whole numbers above are not exact in a double


def check_request_id(request_id: str) -> str:
    """Raises InvalidArgument when a request_id is too long, or has characters that are no text (a database may refuse
    them)."""
    if len(request_id) > MAX_REQUEST_ID:
        raise InvalidArgument.of(
            "request_id", f"must have at most {MAX_REQUEST_ID} characters, got {len(request_id)}"
        )
    if request_id and not request_id.isprintable():
        raise InvalidArgument.of("request_id", f"must be printable, got {request_id!r}")
    return request_id


def check_name(name: str, kind: str, field: str = "name") -> str:
    """The name, if it reads like `kind/id`. Raises InvalidArgument otherwise."""
    collection, _, identity = name.partition("/")
    if collection != kind or not identity.isalnum() or len(identity) > 64:
        raise InvalidArgument.of(field, f"must read like {kind}/{{id}}, got {name[:80]!r}")
    return name


def job_message(job: Job) -> pb.Job:
    """A job's record on the wire."""
    message = pb.Job(
        state=f"JOB_STATE_{job.state}",
        progress=pb.Progress(done=job.progress.done, total=job.progress.total, message=job.progress.message),
        cost=cost_message(job.cost),
        waiting_for=job.waiting_for,
        create_time=_time(job.created_at),
        revision=job.revision,
    )
    if job.progress.eta_s is not None:
        message.progress.eta.FromMilliseconds(round(job.progress.eta_s * 1000))
    if job.started_at is not None:
        message.start_time.CopyFrom(_time(job.started_at))
    if job.ended_at is not None:
        message.end_time.CopyFrom(_time(job.ended_at))
    if job.error is not None:
        message.error.CopyFrom(
            pb.Error(reason=job.error.reason, message=job.error.message, metadata=job.error.metadata)
        )
    return message


def cost_message(cost: dict[str, float]) -> pb.Cost:
    """A cost ledger on the wire."""
    message = pb.Cost()
    for name, value in cost.items():
        setattr(message, name, round(value) if name in _INTEGER_COSTS else value)
    return message


def _time(seconds: float) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromMicroseconds(round(seconds * 1e6))  # a double knows no finer
    return stamp


def artifact_message(artifact: Artifact) -> pb.Artifact:
    """An artifact on the wire."""
    return pb.Artifact(uri=artifact.uri, sha256=artifact.sha256, size_bytes=artifact.size_bytes)


def read_artifact(message: pb.Artifact, field: str) -> str:
    """The hash of an artifact in a request. Raises InvalidArgument naming `field`."""
    return check_uri(message.uri, message.sha256, field)


def architecture_message(architecture: Architecture | Iterable[int]) -> pb.Architecture:
    """An architecture on the wire."""
    choices = architecture.choices if isinstance(architecture, Architecture) else architecture
    return pb.Architecture(choices=[int(choice) for choice in choices])


def read_architecture(
    message: pb.Architecture, num_options: Sequence[int] | None = None, field: str = "architecture"
) -> Architecture:
    """An architecture of a request, checked against the space. Raises InvalidArgument naming `field`."""
    architecture = Architecture(choices=tuple(message.choices))
    if num_options is not None:
        try:
            architecture.check(num_options)
        except DonnaError as error:
            raise InvalidArgument.of(field, error.message.removeprefix("architecture: ")) from None
    return architecture


def pack_architectures(choices: np.ndarray) -> pb.ArchitectureMatrix:
    """(A, N) choices, not negative, in packed form, as narrow as they fit."""
    if choices.min(initial=0) < 0 or choices.max(initial=0) >= 1 << 32:
        raise InvalidArgument.of("choices", "must be in 0..4294967295")
    largest = int(choices.max(initial=0))
    width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4
    return pb.ArchitectureMatrix(
        num_architectures=choices.shape[0],
        num_blocks=choices.shape[1],
        choices=np.ascontiguousarray(choices, dtype=f"<u{width}").tobytes(),
        bytes_per_choice=width,
    )


def unpack_architectures(message: pb.ArchitectureMatrix, field: str = "architectures") -> np.ndarray:
    """(A, N) choices (unsigned, as narrow as sent). Raises InvalidArgument when the sizes do not agree."""
    width = message.bytes_per_choice
    if width not in (1, 2, 4):
        raise InvalidArgument.of(f"{field}.bytes_per_choice", f"must be 1, 2 or 4, got {width}")
    expected = message.num_architectures * message.num_blocks * width
    if len(message.choices) != expected:
        raise InvalidArgument.of(
            f"{field}.choices",
            f"must have {message.num_architectures} x {message.num_blocks} x {width} bytes, got {len(message.choices)}",
        )
    flat = np.frombuffer(message.choices, dtype=f"<u{width}")
    return flat.reshape(message.num_architectures, message.num_blocks)


def struct_to_dict(message: struct_pb2.Struct, field: str = "arguments") -> dict[str, Any]:
    """A structure as JSON values; whole numbers come back as int, since the wire knows only doubles.

    Raises InvalidArgument naming `field` for a number that JSON does not have.
    """
    return {name: _plain(value, f"{field}.{name}") for name, value in message.fields.items()}


def _plain(value: struct_pb2.Value, field: str) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            if not math.isfinite(number):
                raise InvalidArgument.of(field, f"must be a finite number, got {number}")
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "list_value":
            return [_plain(item, f"{field}[{index}]") for index, item in enumerate(value.list_value.values)]
        case "struct_value":
            return struct_to_dict(value.struct_value, field)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def dict_to_struct(values: dict[str, Any], field: str = "arguments") -> struct_pb2.Struct:
    """JSON values as a structure. Raises InvalidArgument naming `field` for what JSON does not have, e.g. a date."""
    message = struct_pb2.Struct()
    try:
        message.update(values)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidArgument.of(
            field, f"must be texts, numbers, lists and mappings, got {values!r}"
        ) from None
    return message


def reference_to_dict(message: pb.Reference) -> dict[str, Any]:
    """A reference as the description that donna.nets builds from; weights are a hash or None."""
    return {
        "provider": message.provider,
        "arguments": struct_to_dict(message.arguments, "reference.arguments"),
        "weights": read_artifact(message.weights, "reference.weights")
        if message.HasField("weights")
        else None,
        "provenance": dict(message.provenance),
    }


def dataset_to_dict(message: pb.Dataset) -> dict[str, Any]:
    """A dataset as the description that donna.data loads."""
    split = message.split
    described: dict[str, Any] = {
        "provider": message.provider,
        "arguments": struct_to_dict(message.arguments, "dataset.arguments"),
        "split": {
            "training": split.training,
            "quality": split.quality,
            "validation": split.validation,
            "test": split.test,
            "seed": split.seed,
        },
        "augment": [
            {
                "name": a.name,
                "arguments": struct_to_dict(a.arguments, f"dataset.augmentations[{index}].arguments"),
            }
            for index, a in enumerate(message.augmentations)
        ],
    }
    if message.HasField("normalisation"):
        normalisation = message.normalisation
        described["normalise"] = {"mean": list(normalisation.mean), "std": list(normalisation.std)}
    return described


def dataset_message(described: Mapping[str, Any]) -> pb.Dataset:
    """The description of a dataset, every default written out, on the wire."""
    message = pb.Dataset(
        provider=described["provider"],
        arguments=dict_to_struct(described["arguments"]),
        split=pb.DatasetSplit(**{name: int(value) for name, value in described["split"].items()}),
        augmentations=[
            pb.Augmentation(name=step["name"], arguments=dict_to_struct(step["arguments"]))
            for step in described["augment"]
        ],
    )
    if normalise := described.get("normalise"):
        message.normalisation.CopyFrom(pb.Normalisation(**normalise))
    return message
