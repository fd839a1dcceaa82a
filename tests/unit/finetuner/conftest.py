"""A small trained reference on digits and a library of blocks of it, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from donna.artifacts import ArtifactStore
from donna.data import Part, load
from donna.nets import families, references, weights
from donna.nets.cut import Cut, cut
from donna.space import Block, Entry, Library, Option
from donna.space import Part as End
from services.finetuner.evaluate import Evaluation, logits, measure
from services.finetuner.recipe import Recipe
from services.finetuner.train import train

DATASET = {
    "provider": "digits",
    "arguments": {},
    "split": {"training": 512, "quality": 64, "validation": 300, "test": 300, "seed": 0},
    "augment": [],
}
REFERENCE = {
    "provider": "small_cnn",
    "arguments": {"in_channels": 1, "num_classes": 10, "widths": [8, 8, 8, 8]},
}
BLOCKS = ("stage1", "stage2", "stage3", "stage4")
OPTIONS = (
    "inverted_residual(activation=relu,attention=none,convolution=depthwise,depth=1,expansion=2.0,kernel=3)",
    "inverted_residual(activation=silu,attention=squeeze_excite,convolution=grouped,depth=2,expansion=1.0,kernel=5)",
    "reference()",
)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that a finetune job can refer to."""

    store: ArtifactStore
    cut: Cut
    library: Library
    library_sha256: str
    reference: dict[str, Any]
    blocks: dict[tuple[int, int], Any]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    torch.set_num_threads(1)
    store = ArtifactStore(Path(tmp_path_factory.mktemp("artifacts")))
    torch.manual_seed(0)
    model = references.build(REFERENCE)
    recipe = Recipe(epochs=6, batch_size=32, learning_rate=4e-3, soft_weight=0)
    train(model, load(DATASET).split("training"), recipe, None)
    reference = {**REFERENCE, "weights": store.put_bytes(weights.dump(model)).sha256}
    whole = cut(model, BLOCKS, (1, 8, 8))
    blocks = {}
    for n in range(4):
        for m, text in enumerate(OPTIONS):
            torch.manual_seed(10 * n + m)
            built = families.build(
                Option.parse(text), whole.input_shapes[n], whole.output_shapes[n], whole.blocks[n]
            )
            blocks[n, m] = built.eval()
    zero = {"parameters": 0, "macs": 0, "weight_bytes": 0, "activation_bytes": 0, "fragment": "0" * 64}
    library = Library(
        reference=reference,
        dataset=DATASET,
        recipe={},
        provenance={"licence": "Apache-2.0", "source": "a test"},
        input_shape=(1, 8, 8),
        num_classes=10,
        stem=End(weights="0" * 64, **zero),
        head=End(weights="0" * 64, **zero),
        blocks=tuple(
            Block(
                name=name,
                input_shape=whole.input_shapes[n],
                output_shape=whole.output_shapes[n],
                entries=tuple(
                    Entry(
                        option=text,
                        key=f"{n}-{m}",
                        quality=0.1,
                        weights=store.put_bytes(weights.dump(blocks[n, m])).sha256,
                        **zero,
                    )
                    for m, text in enumerate(OPTIONS)
                ),
            )
            for n, name in enumerate(BLOCKS)
        ),
    )
    return World(
        store=store,
        cut=whole,
        library=library,
        library_sha256=store.put_bytes(library.to_json()).sha256,
        reference=reference,
        blocks=blocks,
    )


def evaluated(network: nn.Module, part: Part) -> Evaluation:
    """How a network does on a part of the data."""
    return measure(logits(network, part), torch.from_numpy(part.labels))
