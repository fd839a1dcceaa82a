"""Puts networks together: the reference, an architecture from library weights, or either from scratch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from donna.nets import references, weights
from donna.nets.cut import Cut, cut
from donna.nets.network import Network, assemble, load_block
from donna.space import Architecture, Library

ReadWeights = Callable[[str], bytes]
"""From the sha256 of an artifact to its bytes."""


def cut_reference(reference: nn.Module, library: Library) -> Cut:
    """The reference cut at the blocks of the library; it is frozen by this."""
    return cut(reference, [block.name for block in library.blocks], library.input_shape)


def stitch(whole: Cut, library: Library, architecture: Architecture, read: ReadWeights) -> Network:
    """The architecture with stem and head of the reference and every block as the library has it.

    Normalisation statistics are still those of each block's own training: calibrate next.
    """
    network = assemble(whole, library.options(architecture), "architecture")
    for n, entry in enumerate(library.entries(architecture)):
        load_block(network, n, weights.read_state(read(entry.weights)))
    return network


def from_scratch(
    description: Mapping[str, Any], library: Library, architecture: Architecture, seed: int
) -> Network:
    """The same network, all of it at random, stem and head too: the control."""
    torch.manual_seed(seed)
    reference = references.build(references.at_random(description))
    return assemble(cut_reference(reference, library), library.options(architecture), "architecture")


def as_classifier(model: nn.Module, weights_sha256: str | None, read: ReadWeights) -> nn.Module:
    """The model, trainable, with weights of an earlier run in it when they are named."""
    if weights_sha256:
        weights.load(model, read(weights_sha256), "weights")
    return model.requires_grad_(True)


def option_texts(library: Library, architecture: Architecture) -> Sequence[str]:
    """The option of every block in text form."""
    return [entry.option for entry in library.entries(architecture)]
