"""The stitched ONNX of real block fragments against the assembled PyTorch network."""

from __future__ import annotations

import random

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from donna.graphs import check, fill, stitch, strip
from donna.nets import families
from donna.nets.cut import cut
from donna.nets.network import assemble
from donna.nets.parity import checked_onnx
from donna.nets.small_cnn import SmallCnn
from donna.space import Option, expand

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
    """Normalisation statistics that are not the identity, so that folding them has to be right, and that keep a signal
    from fading, so that what comes in matters for what comes out."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.02, 0.2)
    return module.eval()


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_assembled_network(reference_cut, seed):
    torch.manual_seed(seed)
    chosen = [random.Random(f"{seed}/{n}").choice(OPTIONS) for n in range(4)]
    equals(reference_cut, chosen)


def equals(whole, chosen):
    network = assemble(whole, chosen)
    for n, option in enumerate(chosen):
        if option.family != "reference":
            settle(network.block(n))
    shapes = [whole.input_shape, *whole.input_shapes, whole.output_shapes[-1]]
    blocks = (network.block(n) for n in range(len(chosen)))
    fragments = [
        checked_onnx(module, torch.rand(2, *s))[0]
        for module, s in zip((whole.stem, *blocks, whole.head), shapes, strict=True)
    ]
    stitched = stitch(fragments).SerializeToString()
    check(stitched)
    for batch in (1, 5):
        x = torch.randn(batch, *whole.input_shape)
        with torch.no_grad():
            expected = network(x).numpy()
        assert batch == 1 or np.ptp(expected, axis=0).max() > 0.1
        np.testing.assert_allclose(run(stitched, x.numpy()), expected, rtol=1e-4, atol=1e-4)
    bare = stitch([strip(check(fragment)) for fragment in fragments])
    assert bare.ByteSize() < len(stitched)
    assert np.isfinite(run(fill(bare).SerializeToString(), x.numpy())).all()


FAMILIES = {
    "basic": {"kernel": 3, "groups": 2, "width": 0.5},
    "bottleneck": {"kernel": 3, "groups": 2, "width": 0.5},
    "convnext": {"expansion": 2},
    "fused_inverted_residual": {"kernel": 3, "expansion": 2, "attention": "squeeze_excite"},
    "inverted_residual": {"kernel": 5, "expansion": 2, "convolution": "grouped"},
    "reference": {},
    "skip": {},
    "transformer": {"heads": 2, "depth": 2},
}


@pytest.fixture(scope="module")
def sequence_cut():
    torch.manual_seed(0)
    model = VisionTransformer(8, 4, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=10)
    torch.nn.init.normal_(model.heads.head.weight)  # torchvision's are zero
    return cut(model.eval(), [f"encoder.layers.encoder_layer_{n}" for n in range(2)], (3, 8, 8))


def test_every_family_is_stitched():
    assert set(FAMILIES) == set(families.REGISTRY.names())


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_of_every_family_equal_the_assembled_ones(reference_cut, sequence_cut, family):
    torch.manual_seed(0)
    option = Option.of(family, FAMILIES[family])
    if family != "transformer":
        equals(reference_cut, [option] * 4)
    if family in ("transformer", "skip", "reference"):
        equals(sequence_cut, [option, Option.of("reference")])  # without any attention no image would matter
