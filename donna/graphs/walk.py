"""Where names and tensors hide in an ONNX graph: nodes, attributes and the subgraphs of If, Loop and Scan."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import GraphProto, ModelProto, NodeProto, TensorProto


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph itself, then every subgraph inside its nodes, outermost first."""
    yield graph
    for node in graph.node:
        for subgraph in subgraphs(node):
            yield from graphs(subgraph)


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The direct subgraphs of one node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor stored in the model: in initialisers and attributes, in subgraphs and functions."""
    for graph in graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            yield from _attribute_tensors(node)
    for function in model.functions:
        for node in function.node:
            yield from _attribute_tensors(node)
            for inner in subgraphs(node):
                for graph in graphs(inner):
                    yield from graph.initializer
                    for inner_node in graph.node:
                        yield from _attribute_tensors(inner_node)


def _attribute_tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        for tensor in [*sparse, *attribute.sparse_tensors]:
            yield from (tensor.values, tensor.indices)
