"""Stitched networks against running the fragments one after another in ONNX Runtime."""

from __future__ import annotations

import random

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from donna.errors import InvalidArgument
from donna.graphs import stitch
from tests.unit.graphs import fragments as make


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def one_after_another(parts, x):
    for part in parts:
        x = run(part, x)
    return x


BODY = [
    lambda seed: make.conv(4, 4, 8, seed=seed),
    lambda seed: make.conv(4, 4, 8, kernel=5, seed=seed),
    lambda seed: make.residual(4, 8, seed=seed),
    lambda seed: make.skip(4, 8),
    lambda seed: make.branching(4, 8),
]


@pytest.mark.parametrize("seed", range(12))
def test_equals_running_the_fragments_one_after_another(seed):
    chosen = random.Random(seed)
    parts = [make.conv(3, 4, 8, seed=seed), *(chosen.choice(BODY)(n) for n in range(5)), make.head(4, 8, 10)]
    network = stitch(parts)
    onnx.checker.check_model(network, full_check=True)
    for batch in (1, 3):
        x = np.random.default_rng(seed).normal(size=(batch, 3, 8, 8)).astype(np.float32)
        np.testing.assert_allclose(run(network, x), one_after_another(parts, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("part", [make.skip(4, 8), make.residual(4, 8), make.branching(4, 8)])
def test_one_fragment_alone_is_itself(part):
    x = np.random.default_rng(0).normal(size=(2, 4, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(run(stitch([part]), x), run(part, x))


def test_takes_bytes_and_leaves_its_arguments_as_they_were():
    parts = [make.conv(3, 4, 8), make.residual(4, 8), make.head(4, 8, 10)]
    before = [part.SerializeToString() for part in parts]
    assert stitch(parts) == stitch(before)
    assert [part.SerializeToString() for part in parts] == before


def test_the_same_fragments_give_the_same_bytes():
    parts = [make.conv(3, 4, 8).SerializeToString(), make.head(4, 8, 10).SerializeToString()]
    assert len({stitch(parts).SerializeToString(deterministic=True) for _ in range(3)}) == 1


def test_ir_opset_ends_and_no_baggage():
    part = make.conv(3, 4, 8)
    part.graph.node[0].doc_string = "File /home/somebody/model.py, line 12"
    network = stitch([part, make.head(4, 8, 10)])
    assert network.ir_version == 10
    assert [(o.domain, o.version) for o in network.opset_import] == [("", make.OPSET)]
    assert ([v.name for v in network.graph.input], [v.name for v in network.graph.output]) == (["x"], ["y"])
    assert network.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert b"somebody" not in network.SerializeToString()


def two_inputs():
    part = make.conv(4, 4, 8)
    part.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4]))
    return part


def with_function():
    part = make.conv(4, 4, 8)
    part.functions.append(onnx.FunctionProto(name="mine", domain="of.mine"))
    return part


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (b"not onnx at all", r"fragments\[1\]: is no ONNX model \(15 bytes\)"),
        (
            make.conv(5, 4, 8),
            r"fragments\[1\]: takes \[5, 8, 8\] without batch, fragments\[0\] gives \[4, 8, 8\]",
        ),
        (
            make.conv(4, 4, 8, opset=19),
            r"fragments\[1\]: has opset 19 of ai.onnx, the fragments before it 18",
        ),
        (two_inputs(), r"fragments\[1\]: must have one input and one output, has 2 and 1"),
        (with_function(), r"fragments\[1\]: has functions of its own \('mine'\)"),
        (
            make.model(
                [helper.make_node("Neg", ["x"], ["y"])], {}, (4, 8, 8), (4, 8, 8), elem=TensorProto.DOUBLE
            ),
            r"fragments\[1\]: takes DOUBLE, fragments\[0\] gives FLOAT",
        ),
    ],
)
def test_refuses_what_does_not_fit_and_says_where(second, sentence):
    with pytest.raises(InvalidArgument, match=sentence) as caught:
        stitch([make.conv(3, 4, 8), second])
    assert caught.value.violations[0].field == "fragments[1]"


def test_refuses_nothing():
    with pytest.raises(InvalidArgument, match="at least one fragment"):
        stitch([])
