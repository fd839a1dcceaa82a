"""Is this a model that may be kept and run? Everything is refused here, before any runtime sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, ValueInfoProto

from donna.errors import InvalidArgument
from donna.graphs.walk import graphs, tensors
from donna.graphs.weightless import filled_bytes, is_weightless, outline


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a model may be at most, `size_bytes` also when the weights that it came without are filled in. `elements`
    bounds one tensor, with 1 for each dynamic axis."""

    size_bytes: int = 1 << 30
    nodes: int = 100_000
    elements: int = 1 << 30
    ranks: int = 16


def check(data: bytes, *, field: str = "model", limits: Limits | None = None) -> ModelProto:
    """The model in `data`. Raises InvalidArgument (violation on `field`) unless it is one valid ONNX model,
    complete in itself (no external data), no bigger than `limits`, with shapes that can exist. A fragment
    without weights (donna.graphs.weightless) passes when the filled one would.
    """
    limits = limits or Limits()
    if not data:
        raise InvalidArgument.of(field, "is empty")
    if len(data) > limits.size_bytes:
        raise InvalidArgument.of(field, f"has {len(data)} bytes, at most {limits.size_bytes} are taken")
    try:
        model = ModelProto.FromString(data)
    except DecodeError as error:
        raise InvalidArgument.of(field, f"is no ONNX model ({len(data)} bytes)") from error
    if not model.ir_version or not model.opset_import or not model.graph.output:
        raise InvalidArgument.of(field, "is no ONNX model: it lacks an IR version, an opset or outputs")
    nodes = sum(len(graph.node) for graph in graphs(model.graph))
    if nodes > limits.nodes:
        raise InvalidArgument.of(field, f"has {nodes} nodes, at most {limits.nodes} are taken")
    for tensor in tensors(model):
        _check_tensor(tensor, field, limits)
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        _check_shape(value, field, limits)
    try:
        onnx.checker.check_model(_outlined(model, field, limits) if is_weightless(model) else data)
    except onnx.checker.ValidationError as error:
        raise InvalidArgument.of(field, f"is not valid ONNX: {_first_line(error)}") from error
    return model


def _outlined(model: ModelProto, field: str, limits: Limits) -> bytes:
    # A few bytes can ask for gigabytes here; so nothing is filled before somebody measures.
    size = filled_bytes(model)
    if size > limits.size_bytes:
        raise InvalidArgument.of(
            field, f"would have {size} bytes with its weights, at most {limits.size_bytes} are taken"
        )
    return outline(model).SerializeToString()


def _check_tensor(tensor: TensorProto, field: str, limits: Limits) -> None:
    name = tensor.name[:80]
    # External data is a path to read on this machine; runtimes have followed it out of their folder.
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise InvalidArgument.of(field, f"tensor {name!r} is stored in another file; models must be complete")
    if len(tensor.dims) > limits.ranks or any(size < 0 for size in tensor.dims):
        raise InvalidArgument.of(field, f"tensor {name!r} has the impossible shape {_short(tensor.dims)}")
    if math.prod(tensor.dims) > limits.elements:
        raise InvalidArgument.of(
            field, f"tensor {name!r} of shape {_short(tensor.dims)} has more than {limits.elements} elements"
        )


def _check_shape(value: ValueInfoProto, field: str, limits: Limits) -> None:
    sizes = [d.dim_value for d in value.type.tensor_type.shape.dim if d.HasField("dim_value")]
    if len(sizes) > limits.ranks or any(size < 0 for size in sizes):
        raise InvalidArgument.of(field, f"{value.name[:80]!r} has the impossible shape {_short(sizes)}")
    if math.prod(sizes) > limits.elements:
        raise InvalidArgument.of(
            field, f"{value.name[:80]!r} of shape {_short(sizes)} has more than {limits.elements} elements"
        )


def _short(sizes: object) -> str:
    text = str(list(sizes))  # type: ignore[call-overload]
    return text if len(text) <= 80 else f"{text[:77]}..."


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
