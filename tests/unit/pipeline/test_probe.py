"""The small model that devices are tried with: what it is said to be, in the format that everything here writes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from donna.onnx_format import IR_VERSION
from donna.pipeline.ask import probe_model


def test_it_is_one_convolution() -> None:
    weight = numpy_helper.from_array(np.full((8, 8, 3, 3), 0.125, np.float32), "w")
    shape: list[str | int | None] = ["batch", 8, 8, 8]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph([node], "probe", [x], [y], [weight])
    opset = [helper.make_opsetid("", 18)]
    assert onnx.load_from_string(probe_model()) == helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=opset
    )
    session = onnxruntime.InferenceSession(probe_model(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ones((1, 8, 8, 8), np.float32)})
    assert found[0, 0, 4, 4] == 8 * 9 * 0.125
