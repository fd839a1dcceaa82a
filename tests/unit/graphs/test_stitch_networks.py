"""The stitched ONNX of real block fragments against the assembled PyTorch network."""

from __future__ import annotations

import random

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from donna.graphs import check, fill, stitch, strip
from donna.nets.cut import cut
from donna.nets.export import to_onnx
from donna.nets.network import assemble
from donna.nets.small_cnn import SmallCnn
from donna.space import expand

OPTIONS = (
    *expand(
        "inverted_residual",
        {
            "activation": ["relu", "silu", "hard_swish"],
            "attention": ["none", "squeeze_excite"],
            "convolution": ["depthwise", "grouped"],
            "depth": [1, 2],
            "expansion": [2],
            "kernel": [3, 5],
        },
    ),
)


@pytest.fixture(scope="module")
def reference_cut():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = SmallCnn(1, 10, (8, 16, 16, 32))
    return cut(settle(model), [f"stage{n}" for n in range(1, 5)], (1, 8, 8))


def settle(module: nn.Module) -> nn.Module:
    """Normalisation statistics that are not the identity, so that folding them has to be right."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2.0)
    return module.eval()


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_assembled_network(reference_cut, seed):
    torch.manual_seed(seed)
    chosen = [random.Random(f"{seed}/{n}").choice(OPTIONS) for n in range(4)]
    network = settle(assemble(reference_cut, chosen))
    shapes = [reference_cut.input_shape, *reference_cut.input_shapes, reference_cut.output_shapes[-1]]
    modules = [reference_cut.stem, *(network.block(n) for n in range(4)), reference_cut.head]
    fragments = [to_onnx(module, shape) for module, shape in zip(modules, shapes, strict=True)]
    stitched = stitch(fragments).SerializeToString()
    check(stitched)
    for batch in (1, 5):
        x = torch.randn(batch, 1, 8, 8)
        with torch.no_grad():
            expected = network(x).numpy()
        np.testing.assert_allclose(run(stitched, x.numpy()), expected, rtol=1e-4, atol=1e-4)
    bare = stitch([strip(check(fragment)) for fragment in fragments])
    assert bare.ByteSize() < len(stitched)
    assert np.isfinite(run(fill(bare).SerializeToString(), x.numpy())).all()
