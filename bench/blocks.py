"""A search space of convolutional blocks as ONNX fragments, made without torch: for benchmarks of measuring."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSET, CLASSES = 18, 10
STAGES = ((16, 16, 1), (16, 32, 1), (32, 64, 2), (64, 64, 4))
"""(input channels, output channels, how often the image's size is divided) of each searchable block; the size halves
where the next one's does."""
KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (1, 2, 4), (1, 2, 3)


class _Fragment:
    """Nodes and weights of one fragment, in order."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self._rng = np.random.default_rng(seed)

    def convolution(
        self, x: str, c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> str:
        """A convolution with bias on the value `x`; returns the name of its output."""
        index = len(self.nodes)
        shape = (c_out, c_in // groups, kernel, kernel)
        values = self._rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        self.weights += [
            numpy_helper.from_array(values, f"w{index}"),
            numpy_helper.from_array(np.zeros(c_out, np.float32), f"b{index}"),
        ]
        self.nodes.append(
            helper.make_node(
                "Conv",
                [x, f"w{index}", f"b{index}"],
                [f"c{index}"],
                strides=[stride] * 2,
                pads=[kernel // 2] * 4,
                group=groups,
            )
        )
        return f"c{index}"

    def activation(self, x: str) -> str:
        """A ReLU."""
        self.nodes.append(helper.make_node("Relu", [x], [f"r{len(self.nodes)}"]))
        return str(self.nodes[-1].output[0])

    def model(self, y: str, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> ModelProto:
        """The fragment whose output is the value `y`."""
        self.nodes.append(helper.make_node("Identity", [y], ["y"]))
        graph = helper.make_graph(
            self.nodes,
            "fragment",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *x_shape])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", *y_shape])],
            self.weights,
        )
        return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", OPSET)])


def stem(image: int) -> ModelProto:
    """Images of 3 x `image` x `image` to the first block's input."""
    fragment = _Fragment(0)
    y = fragment.activation(fragment.convolution("x", 3, STAGES[0][0], 3))
    return fragment.model(y, (3, image, image), (STAGES[0][0], image, image))


def block(stage: int, image: int, kernel: int, expansion: int, depth: int) -> ModelProto:
    """Inverted residuals: expand, depthwise convolution, project; the first one has the stride."""
    c_in, c_out, divided = STAGES[stage]
    size = image // divided
    out_size = image // STAGES[stage + 1][2] if stage + 1 < len(STAGES) else size
    fragment = _Fragment(((stage * 10 + kernel) * 10 + expansion) * 10 + depth)
    flow, channels, stride = "x", c_in, size // out_size
    for _ in range(depth):
        hidden = channels * expansion
        flow = fragment.activation(fragment.convolution(flow, channels, hidden, 1))
        flow = fragment.activation(
            fragment.convolution(flow, hidden, hidden, kernel, stride=stride, groups=hidden)
        )
        flow = fragment.convolution(flow, hidden, c_out, 1)
        channels, stride = c_out, 1
    return fragment.model(flow, (c_in, size, size), (c_out, out_size, out_size))


def head(image: int) -> ModelProto:
    """Mean over the image, then a linear layer as a 1x1 convolution."""
    channels, divided = STAGES[-1][1:]
    size = image // divided
    fragment = _Fragment(1)
    fragment.nodes.append(helper.make_node("GlobalAveragePool", ["x"], ["mean"]))
    logits = fragment.convolution("mean", channels, CLASSES, 1)
    return fragment.model(logits, (channels, size, size), (CLASSES, 1, 1))


def options(stage: int, image: int) -> Iterator[ModelProto]:
    """Every option of one block."""
    for kernel, expansion, depth in itertools.product(KERNELS, EXPANSIONS, DEPTHS):
        yield block(stage, image, kernel, expansion, depth)


def macs(fragment: ModelProto) -> int:
    """Multiply-adds of its convolutions for one image; they follow one another."""
    size = fragment.graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    weights = {tensor.name: tensor.dims for tensor in fragment.graph.initializer}
    total = 0
    for node in fragment.graph.node:
        if node.op_type == "GlobalAveragePool":
            size = 1
        elif node.op_type == "Conv":
            strides = next(attribute.ints for attribute in node.attribute if attribute.name == "strides")
            size //= strides[0]
            total += int(np.prod(weights[node.input[1]])) * size**2
    return total
