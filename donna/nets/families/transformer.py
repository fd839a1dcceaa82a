"""Transformer encoder layers for (L, D) sequences: attention and a perceptron, each normalised first.

Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from donna.nets.arguments import Parameter
from donna.nets.families.family import Family, Place
from donna.nets.families.layers import ACTIVATION, ACTIVATIONS, DEPTH

HEADS = Parameter(name="heads", kind=int, about="attention heads; must divide D", minimum=1, maximum=64)
MLP_RATIO = Parameter(
    name="mlp_ratio", kind=float, about="hidden units per channel of D", default=4, minimum=0.125, maximum=16
)


class Attention(nn.Module):
    """Self-attention with `heads` heads of D / heads channels."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_projection = nn.Linear(width, 3 * width)
        self.out_projection = nn.Linear(width, width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """The same shape."""
        B, L, D = x_BLD.shape
        q, k, v = self.in_projection(x_BLD).view(B, L, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        return self.out_projection(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, L, D))


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, activation: str) -> None:
        super().__init__()
        hidden = max(1, round(width * mlp_ratio))
        self.attention = nn.Sequential(nn.LayerNorm(width, eps=1e-6), Attention(width, heads))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, hidden),
            ACTIVATIONS[activation](),
            nn.Linear(hidden, width),
        )

    def forward(self, x_BLD: Tensor) -> Tensor:
        """The same shape."""
        x_BLD = x_BLD + self.attention(x_BLD)
        return x_BLD + self.perceptron(x_BLD)


def _build(place: Place, *, heads: int, mlp_ratio: float, depth: int, activation: str) -> nn.Module:
    if not place.is_sequence or place.input_shape != place.output_shape:
        raise place.misfit("transformer needs (L, D) sequences that keep their shape")
    width = place.input_shape[1]
    if width % heads:
        raise place.misfit(f"{heads} heads do not divide {width} channels")
    return nn.Sequential(*(EncoderLayer(width, heads, mlp_ratio, activation) for _ in range(depth)))


FAMILY = Family(
    name="transformer",
    about="attention and perceptron, normalised first (ViT)",
    parameters=(HEADS, MLP_RATIO, DEPTH, ACTIVATION),
    build=_build,
)
