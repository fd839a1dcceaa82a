"""The noise-to-signal ratio of a feature map, the loss and the quality of blockwise distillation."""

from __future__ import annotations

from torch import Tensor

EPS = 1e-12


def nsr(y: Tensor, y_hat: Tensor, variance: Tensor, eps: float = EPS) -> Tensor:
    """NSR(Y, Yhat) = 1/C * sum_c mean((Y_c - Yhat_c)^2) / max(variance_c, eps), a scalar.

    `y` is the reference's feature map and `y_hat` the block's, (B, C, H, W) or (B, L, D) with D the channels;
    `variance` (C,) is the reference's per channel over the data set, steadier than a batch's. An equal map
    has NSR 0, each channel's mean NSR 1, and scaling a channel in all three changes nothing.
    Source: Moons et al., Distilling Optimal Neural Networks, ICCV 2021; `eps` and fixed variance are ours.
    """
    return channel_errors(y, y_hat).div(variance.clamp_min(eps)).mean()


def channel_errors(y: Tensor, y_hat: Tensor) -> Tensor:
    """(C,) mean squared error of each channel over batch and positions."""
    return (y - y_hat).square().mean(dim=(0, 2, 3) if y.ndim == 4 else (0, 1))
