"""A whole network: the reference with its blocks replaced by chosen options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from donna.errors import InvalidArgument
from donna.nets import families
from donna.nets.cut import Cut
from donna.nets.ends import without
from donna.nets.weights import load_state
from donna.space import Option


class Network(nn.Module):
    """(B, *input_shape) images to (B, num_classes) logits.

    `model` is a copy of the reference whose submodules `block_names` are the chosen blocks, so it works for
    any model that could be cut. Trainable, in eval mode.
    """

    def __init__(self, model: nn.Module, block_names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.block_names = block_names

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        return self.model(x)

    def block(self, n: int) -> nn.Module:
        """Block n (from 0)."""
        return self.model.get_submodule(self.block_names[n])


def assemble(cut: Cut, options: Sequence[Option], field: str = "options") -> Network:
    """The network of one option for each block: stem, head and `reference` blocks with the reference's
    weights, all others with random ones (torch's global generator; seed it first, or `load_block` after).

    Raises InvalidArgument for `<field>[n]` when an option does not fit its block.
    """
    if len(options) != len(cut.names):
        raise InvalidArgument.of(
            field, f"must be one for each of the {len(cut.names)} blocks, got {len(options)}"
        )
    built = {
        name: families.build(
            option, cut.input_shapes[n], cut.output_shapes[n], cut.blocks[n], f"{field}[{n}]"
        )
        for n, (name, option) in enumerate(zip(cut.names, options, strict=True))
    }
    network = Network(without(cut.model, built), cut.names)
    return network.requires_grad_(True).eval()


def load_block(network: Network, n: int, state: Mapping[str, Tensor]) -> None:
    """Puts library weights into block n. Raises InvalidArgument when they are of another block."""
    load_state(network.block(n), state, f"blocks[{n}].weights")
