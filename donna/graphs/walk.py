"""Where names and tensors hide in an ONNX graph: nodes, attributes and the subgraphs of If, Loop and Scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph itself, then every subgraph inside its nodes, outermost first."""
    yield graph
    for node in graph.node:
        for subgraph in subgraphs(node):
            yield from graphs(subgraph)


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The direct subgraphs of one node."""
    return _attribute_graphs(node.attribute)


def _attribute_graphs(attributes: Iterable[AttributeProto]) -> Iterator[GraphProto]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def all_graphs(model: ModelProto) -> Iterator[GraphProto]:
    """Every graph of a model, also those of training and those inside functions."""
    yield from graphs(model.graph)
    for training in model.training_info:
        yield from graphs(training.initialization)
        yield from graphs(training.algorithm)
    for function in model.functions:
        yield from _function_graphs(function)


def _function_graphs(function: FunctionProto) -> Iterator[GraphProto]:
    held = (_attribute_graphs(function.attribute_proto), *(subgraphs(node) for node in function.node))
    for graph in chain.from_iterable(held):
        yield from graphs(graph)


def function_nodes(function: FunctionProto) -> Iterator[NodeProto]:
    """Every node of a function, also of its subgraphs."""
    yield from function.node
    for graph in _function_graphs(function):
        yield from graph.node


def all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Every node of a model, of whatever graph or function."""
    for graph in all_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor stored in the model: in initialisers and attributes, wherever they are."""
    for graph in all_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in all_nodes(model):
        yield from _attribute_tensors(node.attribute)
    for function in model.functions:
        yield from _attribute_tensors(function.attribute_proto)


def _attribute_tensors(attributes: Iterable[AttributeProto]) -> Iterator[TensorProto]:
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        for tensor in [*sparse, *attribute.sparse_tensors]:
            yield from (tensor.values, tensor.indices)
