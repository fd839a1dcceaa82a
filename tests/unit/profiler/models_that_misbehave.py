"""Valid ONNX that hurts whoever runs it, and a nursery whose runtime can be made to crash."""

from __future__ import annotations

import sys

import numpy as np
from onnx import TensorProto, helper

from tests.unit.graphs import fragments as make


def endless() -> bytes:
    """A loop of 2^62 turns."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still"]),
            helper.make_node("Sin", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    node = helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body)
    return make.model([node], {"turns": np.array(1 << 62)}, (4,), (4,)).SerializeToString()


def greedy(gigabytes: int = 16) -> bytes:
    """Makes a tensor of so many GB when it runs."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    shape = np.array([gigabytes, 1 << 28], dtype=np.int64)
    # The shape depends on the input, so that it is not folded while the model is loaded.
    nodes.insert(0, helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0))
    nodes.insert(1, helper.make_node("Cast", ["m"], ["i"], to=TensorProto.INT64))
    nodes.insert(2, helper.make_node("Mul", ["i", "zero"], ["nothing"]))
    nodes.insert(3, helper.make_node("Add", ["base", "nothing"], ["shape"]))
    values = {"base": shape, "zero": np.array(0, dtype=np.int64)}
    return make.model(nodes, values, (4,), (4,)).SerializeToString()


def unknown_operator() -> bytes:
    node = helper.make_node("Frobnicate", ["x"], ["y"], domain="com.microsoft")
    model = make.model([node], {}, (4,), (4,))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model.SerializeToString()


def nursery_with_long_profiles() -> tuple[str, ...]:
    """The command of a nursery whose profiles would take many times any deadline."""
    code = "from services.profiler import layers, nursery; layers.RUNS = 10**6; nursery.main()"
    return (sys.executable, "-c", code)


def crashing_nursery(how: str) -> tuple[str, ...]:
    """The command of a nursery whose runtime does `how` when a session is opened, in the child."""
    code = (
        "import os, sys, signal\n"
        "from services.profiler import nursery, session\n"
        f"def open_session(*_): {how}\n"
        "session.open_session = open_session\n"
        "nursery.main()\n"
    )
    return (sys.executable, "-c", code)
