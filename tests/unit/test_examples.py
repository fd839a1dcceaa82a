"""Every example is a spec that can run: its reference is cut, its options fit, its data and augmentations are known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from donna.data import augment, registry
from donna.nets import families, references
from donna.nets.cut import cut
from donna.pipeline import messages
from donna.pipeline.plan import recipes
from donna.pipeline.spec import Spec, read_spec
from donna.space import Option

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SHAPES = {"digits": (1, 8, 8), "torchvision": (3, 32, 32)}


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def spec(request: pytest.FixtureRequest) -> Spec:
    return read_spec(request.param)


def test_there_is_one_for_each_thing_that_people_ask_for() -> None:
    assert {path.stem for path in EXAMPLES} >= {
        "digits",
        "cifar10",
        "imagenet",
        "vision-transformer",
        "two-devices",
        "phone",
        "quantised",
    }


def test_the_blocks_can_be_cut_and_the_options_fit(spec: Spec) -> None:
    pytest.importorskip("timm")
    torch = pytest.importorskip("torch")
    size = spec.dataset.arguments.get("image_size")
    shape = (3, size, size) if size else SHAPES[spec.dataset.provider]
    arguments = {**spec.reference.arguments}
    if "weights" in arguments:
        arguments["weights"] = "none"  # random ones will do to see the shapes
    model = references.build({"provider": spec.reference.provider, "arguments": arguments})
    blocks = spec.space.expand()
    found = cut(model, [name for name, _ in blocks], shape)
    assert found.num_classes == arguments["num_classes"]
    for n in {0, len(blocks) // 2, len(blocks) - 1}:
        for text in blocks[n][1]:
            with torch.device("meta"):
                option = Option.parse(text)
                families.build(
                    option, found.input_shapes[n], found.output_shapes[n], found.blocks[n], blocks[n][0]
                )
    assert math.prod(len(options) for _, options in blocks) >= 1000


def test_data_and_recipes_are_known(spec: Spec) -> None:
    registry.provider(spec.dataset.provider).check(spec.dataset.arguments)
    augment.parse([step.model_dump() for step in spec.dataset.augment])
    trained = ["reference"] if spec.reference.train else []
    assert [phase for phase, _ in recipes(spec)] == [*trained, "samples", "finetune"]
    if spec.dataset.provider == "digits":
        parts = spec.dataset.split
        assert parts.training + parts.quality + parts.validation + parts.test <= 1797


def test_weights_of_the_library_are_distilled_from_as_they_are() -> None:
    spec = read_spec(ROOT / "examples" / "imagenet.yaml")
    asked = messages.block_library(spec, None).reference
    assert asked.arguments["weights"] == "library" and not asked.HasField("weights")
    assert "reference" not in dict(recipes(spec))  # nothing trains it first


def test_every_example_says_how_it_is_run() -> None:
    for path in EXAMPLES:
        head = path.read_text().split("\nname:")[0]
        assert f"donna run examples/{path.name}" in head, path
        assert all(line.startswith("#") or not line for line in head.splitlines())
