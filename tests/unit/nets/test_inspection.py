"""What can be cut is listed, and the proposal can be cut."""

from __future__ import annotations

import pytest
from torch import nn

from donna.errors import InvalidArgument
from donna.nets import references
from donna.nets.costs import count
from donna.nets.cut import cut
from donna.nets.inspection import inspect_model


def test_submodules_are_listed_with_shapes_and_costs(small_cnn: nn.Module) -> None:
    found = inspect_model(small_cnn, (1, 8, 8))
    stages = {s.name: s for s in found.submodules}
    assert stages["stage2"].kind == "Stage"
    assert (stages["stage2"].input_shape, stages["stage2"].output_shape) == ((8, 8, 8), (8, 4, 4))
    assert stages["stage2"].macs == count(small_cnn.stage2, (8, 8, 8)).macs
    assert stages["stage2"].parameters == count(small_cnn.stage2, (8, 8, 8)).parameters
    assert found.costs == count(small_cnn, (1, 8, 8))
    assert found.proposed == ("stage1", "stage2", "stage3", "stage4")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", ("layer1", "layer2", "layer3", "layer4")),
        ("mobilenet_v3_small", tuple(f"features.{i}" for i in range(1, 12))),
    ],
)
def test_the_proposal_for_a_real_model_can_be_cut(name: str, expected: tuple[str, ...]) -> None:
    model = references.build({"provider": "torchvision", "arguments": {"name": name, "num_classes": 5}})
    proposed = inspect_model(model, (3, 32, 32)).proposed
    assert proposed == expected
    cut(model, proposed, (3, 32, 32))


def test_images_that_do_not_fit_are_refused(small_cnn: nn.Module) -> None:
    with pytest.raises(InvalidArgument, match="input_shape"):
        inspect_model(small_cnn, (2, 8, 8))
