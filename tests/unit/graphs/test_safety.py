"""What is refused before a runtime sees it, and by which sentence."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from onnx import GraphProto, SparseTensorProto, TensorProto, helper

from donna.errors import InvalidArgument
from donna.graphs import Limits, check, fill, stitch, strip
from tests.unit.graphs import fragments as make


def test_takes_a_good_model_whole_or_without_weights():
    model = make.conv(3, 4, 8)
    assert check(model.SerializeToString()) == model
    assert check(strip(model).SerializeToString()) == strip(model)
    assert check(stitch([model, make.branching(4, 8)]).SerializeToString()).graph.node


def external():
    model = make.conv(3, 4, 8)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return model


def external_in_a_branch():
    model = make.branching(4, 8)
    branch = model.graph.node[2].attribute[0].g
    node = helper.make_node("Constant", [], ["c"], value=external().graph.initializer[0])
    branch.node.append(node)
    return model


def function(name, *nodes):
    return helper.make_function("own", name, ["x"], ["y"], list(nodes), [helper.make_opsetid("", 18)])


def with_functions(*functions):
    model = make.conv(3, 4, 8)
    model.functions.extend(functions)
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node.append(helper.make_node("f0", ["y"], ["z"], domain="own"))
    return model


def external_in_a_function():
    """In every place of a function that has tensors: a node, the subgraph of a node, also sparse, and a default."""
    tensor, models = external().graph.initializer[0], []
    sparse = SparseTensorProto(values=tensor, indices=tensor)
    inner = GraphProto(sparse_initializer=[sparse])
    for node in (
        helper.make_node("Constant", [], ["y"], value=tensor),
        helper.make_node("If", ["x"], ["y"], then_branch=inner),
    ):
        models.append(with_functions(function("f0", node)))
    defaults = function("f0", helper.make_node("Identity", ["x"], ["y"]))
    defaults.attribute_proto.append(helper.make_attribute("default", tensor))
    return [*models, with_functions(defaults)]


def external_in_training():
    model = make.conv(3, 4, 8)
    info = model.training_info.add()
    info.algorithm.initializer.append(external().graph.initializer[0])
    return model


def calls(name, times):
    return [helper.make_node(name, ["x"], [f"y{i}"], domain="own") for i in range(times)]


def functions_that_multiply():
    """Twenty functions, each of which calls the next ten times: 10^20 nodes in a few kilobytes."""
    last = function("f20", helper.make_node("Identity", ["x"], ["y"]))
    return with_functions(*(function(f"f{n}", *calls(f"f{n + 1}", 10)) for n in range(20)), last)


def a_function_that_calls_itself():
    return with_functions(function("f0", *calls("f0", 2)))


def huge_in_a_branch():
    model = make.branching(4, 8)
    branch = model.graph.node[2].attribute[0].g
    branch.value_info.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, (1 << 20, 1 << 20)))
    return model


def with_dims(*dims):
    model = make.conv(3, 4, 8)
    model.graph.initializer[0].dims[:] = dims
    return model


def with_input(*shape):
    model = make.conv(3, 4, 8)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
    return model


def without_opset():
    model = make.conv(3, 4, 8)
    model.ClearField("opset_import")
    return model


def cyclic():
    model = make.conv(3, 4, 8)
    model.graph.node[0].input[0] = "y"
    return model


def greedy_filling():
    model = strip(make.conv(3, 4, 8))
    model.graph.initializer[0].dims[:] = [1 << 15, 1 << 14]
    second = model.graph.initializer.add()
    second.CopyFrom(model.graph.initializer[0])
    second.name = "again"
    third = model.graph.initializer.add()
    third.CopyFrom(second)
    third.name = "and again"
    return model


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (external(), "tensor 'weight' is stored in another file"),
        (external_in_a_branch(), "is stored in another file"),
        *((model, "is stored in another file") for model in external_in_a_function()),
        (external_in_training(), "is stored in another file"),
        (functions_that_multiply(), r"has 1\d{20} nodes, at most 100000 are taken|has countless nodes"),
        (a_function_that_calls_itself(), "has countless nodes"),
        (huge_in_a_branch(), "'x' of shape .* has more than"),
        (with_dims(1 << 20, 1 << 20), "has more than 1073741824 elements"),
        (with_dims(-4, 3), "impossible shape"),
        (with_dims(*[1] * 40), "impossible shape"),
        (with_input("N", 1 << 20, 1 << 20), "'x' of shape .* has more than"),
        (with_input("N", -3), "impossible shape"),
        (without_opset(), "lacks an IR version, an opset or outputs"),
        (cyclic(), "is not valid ONNX"),
        (greedy_filling(), "would have 6442450944 bytes with its weights, at most 1073741824 are taken"),
    ],
)
def test_refuses_with_a_sentence_on_the_field(model, sentence):
    with pytest.raises(InvalidArgument, match=sentence) as caught:
        check(model.SerializeToString(), field="fragments[3]")
    assert caught.value.violations[0].field == "fragments[3]"


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 64, b"GIF89a" + b"x" * 500, np.random.default_rng(0).bytes(4096)]
)
def test_refuses_what_is_no_onnx(data):
    with pytest.raises(InvalidArgument):
        check(data)


def test_refuses_too_many_bytes_and_nodes():
    data = make.conv(3, 4, 8).SerializeToString()
    with pytest.raises(InvalidArgument, match=f"has {len(data)} bytes, at most 100 are taken"):
        check(data, limits=Limits(size_bytes=100))
    with pytest.raises(InvalidArgument, match="has 2 nodes, at most 1 are taken"):
        check(data, limits=Limits(nodes=1))


def test_nothing_is_filled_to_check_a_model():
    model = strip(make.branching(4, 8))
    model.graph.initializer[0].dims[:] = [1 << 14, 1 << 13]  # half a gigabyte
    tracemalloc.start()
    try:
        check(model.SerializeToString())
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_torn_model_never_passes_as_another_one():
    data = make.conv(3, 4, 8).SerializeToString()
    for cut in range(1, len(data), 37):
        with pytest.raises(InvalidArgument):
            check(data[:cut])


def test_refuses_a_recipe_that_makes_no_sense():
    model = strip(make.conv(3, 4, 8))
    model.graph.initializer[0].metadata_props[0].value = "1:nan:2"
    with pytest.raises(InvalidArgument, match="cannot fill 'weight' by '1:nan:2'"):
        check(model.SerializeToString())
    with pytest.raises(InvalidArgument):
        fill(model)
