"""Memory that really ran out is known for what it is; nothing else is."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from donna.nets.memory import ran_out

TOO_MUCH = 1 << 50


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(TOO_MUCH),
        lambda: torch.zeros(1).expand(TOO_MUCH).clone(),
        lambda: np.ones(TOO_MUCH),
        lambda: bytearray(TOO_MUCH),
    ],
    ids=["empty", "clone", "numpy", "python"],
)
def test_an_allocation_that_fails(allocate):
    with pytest.raises((RuntimeError, MemoryError)) as failed:
        allocate()
    assert ran_out(failed.value)


def graph_of_zeros(arena: bool) -> onnxruntime.InferenceSession:
    """Takes the size of its output."""
    node = helper.make_node("ConstantOfShape", ["x"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.INT64, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])
    model = helper.make_model(helper.make_graph([node], "zeros", [x], [y]), ir_version=10)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 18))
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena, options.log_severity_level = arena, 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize("arena", [True, False])
def test_an_allocation_of_onnx_runtime_that_fails(arena):
    session = graph_of_zeros(arena)
    with pytest.raises(Exception, match="ONNXRuntimeError") as failed:
        session.run(None, {"x": np.array([TOO_MUCH])})
    assert ran_out(failed.value)
    with pytest.raises(Exception, match="ONNXRuntimeError") as failed:
        session.run(None, {"x": np.array([[1]])})
    assert not ran_out(failed.value)


def test_what_was_raised_because_of_one():
    outer = ValueError("no graph")
    outer.__cause__ = MemoryError()
    assert ran_out(outer)


def test_other_failures_are_not_of_memory():
    with pytest.raises(RuntimeError) as failed:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not ran_out(failed.value)
    assert not ran_out(ValueError("DefaultCPUAllocator"))
