"""Chain ONNX fragments (stem, one option of each block, head) into one network, without torch.

A fragment has one input and one output (`x` and `y` by convention), both with the batch on axis 0. Names
inside fragment i become `f<i>/<name>`, so fragments made from the same block family never collide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from donna.errors import InvalidArgument
from donna.graphs.walk import subgraphs
from donna.onnx_format import IR_VERSION

BATCH = "batch"


def stitch(fragments: Sequence[ModelProto | bytes]) -> ModelProto:
    """The network that runs `fragments` one after another: input `x`, output `y`, dynamic batch.

    Raises InvalidArgument, naming `fragments[i]`, when one is no ONNX, does not have exactly one input and
    one output, has functions of its own or an initialiser that is no tensor, differs from the first in its
    opset, or when its input is not what the fragment before it puts out.
    """
    if not fragments:
        raise InvalidArgument.of("fragments", "must hold at least one fragment, got none")
    parts = [_parse(i, fragment) for i, fragment in enumerate(fragments)]
    ends = [_ends(i, part.graph) for i, part in enumerate(parts)]
    network = ModelProto(ir_version=IR_VERSION, producer_name="donna")
    network.graph.name = "network"
    flow = "x"
    for i, (part, (x, _)) in enumerate(zip(parts, ends, strict=True)):
        _join_opsets(network, i, part)
        if i:
            _check_joint(i, ends[i - 1][1], x)
        flow = _append(network.graph, part.graph, i, flow)
    network.graph.node.append(NodeProto(op_type="Identity", name="y", input=[flow], output=["y"]))
    _fold_identity(network.graph, flow)
    network.graph.input.append(_end("x", ends[0][0]))
    network.graph.output.append(_end("y", ends[-1][1]))
    return network


def _parse(i: int, fragment: ModelProto | bytes) -> ModelProto:
    if isinstance(fragment, ModelProto):
        return fragment
    try:
        return ModelProto.FromString(fragment)
    except DecodeError as error:
        raise _wrong(i, f"is no ONNX model ({len(fragment)} bytes)") from error


def _ends(i: int, graph: GraphProto) -> tuple[ValueInfoProto, ValueInfoProto]:
    initialisers = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialisers]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise _wrong(i, f"must have one input and one output, has {len(inputs)} and {len(graph.output)}")
    if graph.sparse_initializer:
        raise _wrong(i, "has sparse initialisers, which are not stitched")
    return inputs[0], graph.output[0]


def _join_opsets(network: ModelProto, i: int, part: ModelProto) -> None:
    if part.functions:
        raise _wrong(i, f"has functions of its own ({part.functions[0].name!r}), which are not stitched")
    versions = {opset.domain: opset.version for opset in network.opset_import}
    for opset in part.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        if versions.setdefault(domain, opset.version) != opset.version:
            name = domain or "ai.onnx"
            raise _wrong(
                i, f"has opset {opset.version} of {name}, the fragments before it {versions[domain]}"
            )
        if domain not in {known.domain for known in network.opset_import}:
            network.opset_import.add(domain=domain, version=opset.version)


def _check_joint(i: int, before: ValueInfoProto, after: ValueInfoProto) -> None:
    y, x = before.type.tensor_type, after.type.tensor_type
    if y.elem_type != x.elem_type:
        names = TensorProto.DataType.Name(x.elem_type), TensorProto.DataType.Name(y.elem_type)
        raise _wrong(i, f"takes {names[0]}, fragments[{i - 1}] gives {names[1]}")
    shapes = [[d.dim_value or None for d in t.shape.dim][1:] for t in (y, x)]
    same = len(shapes[0]) == len(shapes[1])
    if not same or any(a and b and a != b for a, b in zip(*shapes, strict=True)):
        raise _wrong(i, f"takes {shapes[1]} without batch, fragments[{i - 1}] gives {shapes[0]}")


def _append(network: GraphProto, graph: GraphProto, i: int, flow: str) -> str:
    """Adds fragment i, fed by the value `flow`, to the network; returns the name of its output."""
    initialisers = {tensor.name for tensor in graph.initializer}
    names = {value.name: flow for value in graph.input if value.name not in initialisers}
    start = len(network.initializer), len(network.node)
    network.initializer.extend(graph.initializer)
    network.node.extend(graph.node)
    for tensor in network.initializer[start[0] :]:
        tensor.name = _renamed(tensor.name, i, names)
    for node in network.node[start[1] :]:
        _rename(node, i, names)
    return _renamed(graph.output[0].name, i, names)


def _rename(node: NodeProto, i: int, names: dict[str, str]) -> None:
    node.name = _renamed(node.name, i, {}) if node.name else ""
    # Exporters write a Python stack trace into every node: bytes that the runtime never reads.
    node.ClearField("doc_string")
    node.ClearField("metadata_props")
    node.input[:] = [_renamed(name, i, names) for name in node.input]
    node.output[:] = [_renamed(name, i, names) for name in node.output]
    for graph in subgraphs(node):
        named: list[Any] = [*graph.input, *graph.output, *graph.value_info, *graph.initializer]
        for value in named:
            value.name = _renamed(value.name, i, names)
        for inner in graph.node:
            _rename(inner, i, names)


def _renamed(name: str, i: int, names: dict[str, str]) -> str:
    # The empty name stands for an optional input that was left out.
    return names.get(name) or (f"f{i}/{name}" if name else "")


def _fold_identity(graph: GraphProto, flow: str) -> None:
    """Lets the node that makes the last value write `y` itself; if none does, the Identity stays."""
    for node in graph.node[:-1]:
        if flow in node.output:
            node.output[:] = ["y" if name == flow else name for name in node.output]
            del graph.node[-1]
            break
    else:
        return
    for node in graph.node:
        _substitute(node, flow, "y")


def _substitute(node: NodeProto, old: str, new: str) -> None:
    if old in node.input:
        node.input[:] = [new if name == old else name for name in node.input]
    for graph in subgraphs(node):
        for value in graph.output:
            value.name = new if value.name == old else value.name
        for inner in graph.node:
            _substitute(inner, old, new)


def _end(name: str, value: ValueInfoProto) -> ValueInfoProto:
    """`value` under another name, with a dynamic batch axis."""
    end = ValueInfoProto()
    end.CopyFrom(value)
    end.name = name
    end.ClearField("doc_string")
    end.ClearField("metadata_props")
    if end.type.tensor_type.shape.dim:
        end.type.tensor_type.shape.dim[0].dim_param = BATCH
    return end


def _wrong(i: int, description: str) -> InvalidArgument:
    return InvalidArgument.of(f"fragments[{i}]", description)
