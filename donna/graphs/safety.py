"""Is this a model that may be kept and run? Everything is refused here, before any runtime sees it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from donna.errors import InvalidArgument
from donna.graphs.walk import all_graphs, all_nodes, function_nodes, graphs, tensors
from donna.graphs.weightless import filled_bytes, is_weightless, outline

MAX_CALLS_DEEP = 50


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
    nodes = _inlined_nodes(model)
    if nodes > limits.nodes:
        count = nodes if nodes < sys.maxsize else "countless"
        raise InvalidArgument.of(field, f"has {count} nodes, at most {limits.nodes} are taken")
    for tensor in tensors(model):
        _check_tensor(tensor, field, limits)
    for graph in all_graphs(model):
        for value in [*graph.input, *graph.output, *graph.value_info]:
            _check_shape(value, field, limits)
    try:
        onnx.checker.check_model(_outlined(model, field, limits) if is_weightless(model) else data)
    except onnx.checker.ValidationError as error:
        raise InvalidArgument.of(field, f"is not valid ONNX: {_first_line(error)}") from error
    return model


def _inlined_nodes(model: ModelProto) -> int:
    """Nodes of the model once each call of a function is replaced by its body, as runtimes do: functions that call
    functions multiply. Calls that go round in a circle, or deep, count as more than any limit."""
    bodies = {(f.domain, f.name, f.overload): list(function_nodes(f)) for f in model.functions}
    sizes: dict[tuple[str, str, str], int] = {}

    def size(nodes: Iterable[NodeProto], depth: int) -> int:
        total = 0
        for node in nodes:
            called = (node.domain, node.op_type, node.overload)
            if called in bodies and called not in sizes:
                sizes[called] = size(bodies[called], depth + 1) if depth < MAX_CALLS_DEEP else sys.maxsize
            total += sizes.get(called, 1)
        return total

    own = (node for graph in graphs(model.graph) for node in graph.node)
    return max(size(own, 0), sum(1 for _ in all_nodes(model)))


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
