"""Fragments as they travel: without weights, the same every time, and a refusal where there is none."""

from __future__ import annotations

import hashlib

import pytest

from donna.errors import DataLoss, FailedPrecondition
from donna.graphs import fill, stitch
from services.searcher.weightless import Weightless
from tests.unit.graphs import fragments as make


def test_a_fragment_travels_without_weights_and_measures_the_same_graph(artifacts):
    parts = [make.conv(3, 64, 8), make.residual(64, 8), make.head(64, 8, 10)]
    hashes = [artifacts.put_bytes(part.SerializeToString()).sha256 for part in parts]
    fragments = Weightless(artifacts)
    bare = [fragments.fragment(sha256) for sha256 in hashes]
    assert sum(len(each.data) for each in bare) < 2000 < 20_000 < sum(part.ByteSize() for part in parts)
    assert [hashlib.sha256(each.data).hexdigest() for each in bare] == [each.sha256 for each in bare]
    real, filled = stitch(parts).graph, fill(stitch([each.data for each in bare])).graph
    assert filled.node == real.node
    described = [[(w.name, w.dims, w.data_type) for w in graph.initializer] for graph in (real, filled)]
    assert described[0] == described[1]


def test_each_is_read_once_and_comes_out_the_same(artifacts):
    model = make.conv(3, 64, 8)
    model.graph.node[0].doc_string = model.graph.node[0].name + " was written by an exporter" * 100
    sha256 = artifacts.put_bytes(model.SerializeToString()).sha256
    fragments = Weightless(artifacts)
    first = fragments.fragment(sha256)
    assert b"exporter" not in first.data
    assert fragments.fragment(sha256) is first
    assert Weightless(artifacts).fragment(sha256) == first


def test_what_the_store_lacks_or_cannot_be_read_is_told(artifacts):
    fragments = Weightless(artifacts)
    with pytest.raises(
        FailedPrecondition, match=f"fragment {'0' * 64} of the library is not in the"
    ) as caught:
        fragments.fragment("0" * 64)
    assert caught.value.reason == "FRAGMENT_MISSING"
    odd = artifacts.put_bytes(b"GIF89a" * 10).sha256
    with pytest.raises(DataLoss, match=r"cannot be read: .* is no ONNX model"):
        fragments.fragment(odd)
