"""References by provider: what is wrong is named; real models of two libraries can be cut and put together again."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from donna.errors import FailedPrecondition, InvalidArgument
from donna.nets import references, weights, zoo
from donna.nets.cut import cut
from donna.nets.inspection import inspect_model
from donna.nets.network import assemble
from donna.space import Option

SMALL = {"in_channels": 1, "num_classes": 10}


@pytest.mark.parametrize(
    ("description", "field"),
    [
        ({}, "reference.provider"),
        ({"provider": "smal_cnn", "arguments": SMALL}, "reference.provider"),
        ({"provider": "small_cnn", "arguments": {"num_classes": 10}}, "reference.arguments.in_channels"),
        ({"provider": "small_cnn", "arguments": {**SMALL, "width": 3}}, "reference.arguments.width"),
        ({"provider": "small_cnn", "arguments": {**SMALL, "widths": [8, 8]}}, "reference.arguments.widths"),
        (
            {"provider": "small_cnn", "arguments": {**SMALL, "num_classes": "10"}},
            "reference.arguments.num_classes",
        ),
        ({"provider": "small_cnn", "arguments": [1]}, "reference.arguments"),
        ({"provider": "torchvision", "arguments": {"name": "resnet51"}}, "reference.arguments.name"),
        ({"provider": "timm", "arguments": {"name": "os.system"}}, "reference.arguments.name"),
        (
            {"provider": "timm", "arguments": {"name": "resnet18", "weights": "a/path"}},
            "reference.arguments.weights",
        ),
    ],
)
def test_what_is_wrong_is_named(description: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        references.build(description)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_giant_is_refused_before_it_takes_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidArgument, match=r"arguments.name: has 1,272,2\d\d,\d\d\d parameters"):
        references.build({"provider": "timm", "arguments": {"name": "regnety_2560", "num_classes": 10}})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


def test_the_seed_decides_the_weights() -> None:
    built = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        built.append(references.build({"provider": "small_cnn", "arguments": SMALL}))
    states = [torch.cat([p.flatten() for p in model.parameters()]) for model in built]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_defaults_are_written_out() -> None:
    resolved = references.resolve({"provider": "small_cnn", "arguments": SMALL})
    assert resolved["arguments"] == {**SMALL, "widths": (16, 24, 32, 48)}


def test_weights_that_are_named_are_not_asked_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without a network builds the reference all the same."""
    arguments = {"name": "resnet18", "num_classes": 3, "weights": "library"}
    torch.manual_seed(1)
    trained = references.build({"provider": "torchvision", "arguments": {**arguments, "weights": "none"}})
    monkeypatch.setattr(zoo, "_loading", lambda *_: pytest.fail("the library was asked"))
    described = {"provider": "torchvision", "arguments": arguments, "weights": "f" * 64}
    loaded = references.load(described, {"f" * 64: weights.dump(trained)}.__getitem__)
    assert weights.dump(loaded) == weights.dump(trained)
    with pytest.raises(InvalidArgument, match=r"reference\.weights: are of another network"):
        references.load(described, lambda _: weights.dump(nn.Linear(2, 2)))


class Mine:
    """A thing that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_library_whose_weights_run_code_is_refused_before_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")
    fetched = tmp_path / "hub" / "checkpoints" / models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    fetched.parent.mkdir(parents=True)
    torch.save({"conv1.weight": Mine(tmp_path / "ran")}, fetched)
    with pytest.raises(FailedPrecondition, match="could not load weights of resnet18: UnpicklingError"):
        references.build({"provider": "torchvision", "arguments": {"name": "resnet18", "weights": "library"}})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("name", "size"), [("googlenet", 64), ("inception_v3", 96)])
def test_logits_are_all_that_comes_out_in_training_too(name: str, size: int) -> None:
    described = {"provider": "torchvision", "arguments": {"name": name, "num_classes": 3}}
    assert references.build(described).train()(torch.rand(2, 3, size, size)).shape == (2, 3)


VIT = tuple(f"encoder.layers.encoder_layer_{i}" for i in range(12))
REAL = [
    ("torchvision", "mobilenet_v3_large", tuple(f"features.{i}" for i in range(1, 16)), 64),
    ("torchvision", "efficientnet_b0", tuple(f"features.{i}" for i in range(1, 8)), 64),
    ("torchvision", "resnet50", ("layer1", "layer2", "layer3", "layer4"), 64),
    ("torchvision", "convnext_tiny", tuple(f"features.{i}" for i in range(1, 8)), 64),
    ("torchvision", "vit_b_16", VIT, 224),
    ("timm", "regnetx_002", ("s1", "s2", "s3", "s4"), 64),
    ("timm", "mobilenetv4_conv_small", tuple(f"blocks.{i}" for i in range(5)), 64),
    ("timm", "deit_tiny_distilled_patch16_224", tuple(f"blocks.{i}" for i in range(12)), 224),
]


@pytest.mark.parametrize(("provider", "name", "blocks", "size"), REAL, ids=[case[1] for case in REAL])
def test_a_real_model_is_cut_and_reassembled_with_identical_logits(
    provider: str, name: str, blocks: tuple[str, ...], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Drawing truncated normal numbers for a hundred million weights takes longer than the rest of the test.
    monkeypatch.setattr(nn.init, "trunc_normal_", nn.init.normal_)
    torch.manual_seed(0)
    model = references.build({"provider": provider, "arguments": {"name": name, "num_classes": 7}})
    for buffer_name, buffer in model.named_buffers():
        if buffer_name.endswith(("running_mean", "running_var")):
            buffer.add_(0.1 * torch.rand_like(buffer))
    assert inspect_model(model, (3, size, size)).proposed == blocks
    found = cut(model, blocks, (3, size, size))
    assert found.num_classes == 7
    images = torch.rand(1, 3, size, size)
    with torch.no_grad():
        expected = model(images)
        maps = found.feature_maps(images)
        assert torch.equal(found.head(maps[-1]), expected)
        network = assemble(found, [Option.of("reference")] * len(blocks))
        assert torch.equal(network(images), expected)
