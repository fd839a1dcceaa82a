"""Where a reference can be cut: asked over the wire, answered by donna.nets."""

from __future__ import annotations

import torch

from donna.errors import InvalidArgument
from donna.nets import references
from donna.nets.inspection import inspect_model
from donna.rpc.messages import reference_to_dict
from donna.v1 import distiller_pb2 as pb

_MAX_SIDE = 4096


def inspect(request: pb.InspectReferenceRequest) -> pb.InspectReferenceResponse:
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
