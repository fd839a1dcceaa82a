"""Small ONNX fragments for tests, made without torch."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 18


def model(nodes, initialisers, x_shape, y_shape, *, opset=OPSET, elem=TensorProto.FLOAT) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "fragment",
        [helper.make_tensor_value_info("x", elem, ["N", *x_shape])],
        [helper.make_tensor_value_info("y", elem, ["N", *y_shape])],
        [numpy_helper.from_array(value, name) for name, value in initialisers.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 10
    return made


def conv(
    c_in: int, c_out: int, size: int, *, kernel: int = 3, seed: int = 0, opset: int = OPSET
) -> ModelProto:
    """Conv + ReLU; names that every fragment of the family shares."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 0.2, (c_out, c_in, kernel, kernel)).astype(np.float32)
    bias = rng.normal(0, 0.2, c_out).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "weight", "bias"], ["h"], name="conv", pads=[kernel // 2] * 4),
        helper.make_node("Relu", ["h"], ["y"], name="relu"),
    ]
    return model(
        nodes, {"weight": weight, "bias": bias}, (c_in, size, size), (c_out, size, size), opset=opset
    )


def residual(channels: int, size: int, *, seed: int = 0) -> ModelProto:
    """x + Conv(x): reads its input twice, and its output is read again inside the fragment."""
    weight = np.random.default_rng(seed).normal(0, 0.1, (channels, channels, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["h"]),
        helper.make_node("Add", ["x", "h"], ["y"]),
        helper.make_node("Relu", ["y"], ["unused"]),
    ]
    return model(nodes, {"weight": weight}, (channels, size, size), (channels, size, size))


def skip(channels: int, size: int) -> ModelProto:
    return model(
        [helper.make_node("Identity", ["x"], ["y"])], {}, (channels, size, size), (channels, size, size)
    )


def head(channels: int, size: int, classes: int, *, seed: int = 0) -> ModelProto:
    weight = np.random.default_rng(seed).normal(0, 0.2, (channels, classes)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        helper.make_node("MatMul", ["m", "weight"], ["y"]),
    ]
    axes = np.array([2, 3], dtype=np.int64)
    return model(nodes, {"weight": weight, "axes": axes}, (channels, size, size), (classes,))


def branching(channels: int, size: int) -> ModelProto:
    """An If whose branches read the outer `x`: renaming has to reach into subgraphs."""

    def branch(name: str, op: str):
        out = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op, ["x"], ["b"])], name, [], [out])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["positive"]),
        helper.make_node(
            "If", ["positive"], ["y"], then_branch=branch("then", "Neg"), else_branch=branch("else", "Abs")
        ),
    ]
    zero = np.zeros((), dtype=np.float32)
    return model(nodes, {"zero": zero}, (channels, size, size), (channels, size, size))
