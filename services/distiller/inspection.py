"""Where a reference can be cut and what a dataset holds: asked over the wire, answered by donna.nets and donna.data."""

from __future__ import annotations

from pathlib import Path

import torch

from donna import data
from donna.errors import InvalidArgument
from donna.nets import references
from donna.nets.inspection import inspect_model
from donna.rpc.messages import dataset_message, dataset_to_dict, reference_to_dict
from donna.v1 import common_pb2
from donna.v1 import distiller_pb2 as pb

_MAX_SIDE = 4096


def inspect_dataset(request: pb.InspectDatasetRequest, root: Path | None) -> pb.InspectDatasetResponse:
    """What a dataset holds; `root` is the folder that its files are looked for in.

    Raises InvalidArgument, NotFound or FailedPrecondition naming what is wrong with it.
    """
    if not request.HasField("dataset"):
        raise InvalidArgument.of("dataset", "is required")
    found = data.load(dataset_to_dict(request.dataset), root=root)
    message = dataset_message(found.describe())
    normalisation = common_pb2.Normalisation(mean=found.normalisation.mean, std=found.normalisation.std)
    message.normalisation.CopyFrom(normalisation)
    return pb.InspectDatasetResponse(
        dataset=message, class_names=found.class_names, input_shape=found.input_shape
    )


def inspect_reference(request: pb.InspectReferenceRequest) -> pb.InspectReferenceResponse:
    """The submodules that take one tensor and return one, and a proposed cut.

    Raises InvalidArgument for a reference that cannot be built or cannot take such inputs.
    """
    if not request.HasField("reference"):
        raise InvalidArgument.of("reference", "is required")
    shape = tuple(request.input_shape)
    if len(shape) != 3 or not all(0 < size <= _MAX_SIDE for size in shape):
        raise InvalidArgument.of("input_shape", f"must be (C, H, W) of 1 to {_MAX_SIDE} each, got {shape}")
    with torch.random.fork_rng(devices=[]):
        model = references.build(references.at_random(reference_to_dict(request.reference)))
    found = inspect_model(model, shape)
    return pb.InspectReferenceResponse(
        submodules=[
            pb.Submodule(
                name=s.name,
                type=s.kind,
                input_shape=s.input_shape,
                output_shape=s.output_shape,
                parameters=s.parameters,
                macs=s.macs,
            )
            for s in found.submodules
        ],
        proposed_blocks=found.proposed,
        parameters=found.costs.parameters,
        macs=found.costs.macs,
    )
