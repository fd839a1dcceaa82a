"""From text to network and back, over the whole space of the digits example and 200 random architectures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from donna.nets import families, references, weights
from donna.nets.cut import Cut, cut
from donna.nets.network import assemble
from donna.pipeline.spec import read_spec
from donna.space import Architecture, Option

SPEC = read_spec(Path(__file__).parents[3] / "examples" / "digits.yaml")
BLOCKS = SPEC.space.expand()
IMAGE = (1, 8, 8)


@pytest.fixture(scope="module")
def reference() -> Cut:
    torch.manual_seed(0)
    description = {"provider": SPEC.reference.provider, "arguments": SPEC.reference.arguments}
    return cut(references.build(description).eval(), [name for name, _ in BLOCKS], IMAGE)


def test_every_option_of_every_block_is_built_as_its_text_says(reference: Cut) -> None:
    for n, (_, texts) in enumerate(BLOCKS):
        for text in texts:
            option = Option.parse(text)
            assert str(option) == text
            shapes = reference.input_shapes[n], reference.output_shapes[n]
            block = families.build(option, *shapes, reference.blocks[n]).eval()
            again = families.build(Option.parse(str(option)), *shapes, reference.blocks[n]).eval()
            weights.load(again, weights.dump(block))
            x = torch.randn(2, *reference.input_shapes[n])
            with torch.no_grad():
                assert block(x).shape == (2, *reference.output_shapes[n])
                assert torch.equal(block(x), again(x))


def test_two_hundred_random_architectures_come_back_as_the_same_networks(reference: Cut) -> None:
    generator = np.random.default_rng(0)
    num_options = [len(texts) for _, texts in BLOCKS]
    images = torch.randn(2, *IMAGE)
    for _ in range(200):
        choices = Architecture(choices=tuple(int(generator.integers(count)) for count in num_options))
        read = Architecture.parse(str(choices), num_options)
        assert read == choices
        options = [
            Option.parse(texts[choice]) for (_, texts), choice in zip(BLOCKS, read.choices, strict=True)
        ]
        network = assemble(reference, options).eval()
        again = assemble(reference, [Option.parse(str(option)) for option in options]).eval()
        weights.load(again, weights.dump(network))
        with torch.no_grad():
            logits = network(images)
            assert logits.shape == (2, 10)
            assert torch.equal(logits, again(images))
