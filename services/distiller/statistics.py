"""Variance of each channel of the reference's feature maps over the whole training part, from one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

DEAD = 1e-8
"""A channel whose variance is below this share of its map's largest counts as constant."""


class ChannelMoments:
    """Counts, means and squared deviations per channel, merged batch by batch in float64.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for variances, 1979.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = torch.zeros(())
        self._deviation = torch.zeros(())

    def add(self, y: Tensor) -> None:
        """Takes in a (B, C, H, W) or (B, L, D) feature map."""
        by_channel = _by_channel(y).double()
        count = by_channel.shape[1]
        mean = by_channel.mean(dim=1)
        deviation = (by_channel - mean[:, None]).square().sum(dim=1)
        total = self._count + count
        if self._count == 0:
            self._mean, self._deviation = mean, deviation
        else:
            shift = mean - self._mean
            self._deviation = self._deviation + deviation + shift.square() * (self._count * count / total)
            self._mean = self._mean + shift * (count / total)
        self._count = total

    @property
    def variance(self) -> Tensor:
        """(C,) float64 population variance of what was taken in."""
        return self._deviation / self._count


def guarded(variance: Tensor) -> Tensor:
    """(C,) float32 variances to divide by: channels that are constant take the mean of the others.

    A dead channel then costs as much as any other when a block gets it wrong, and stays finite; one that the
    block reproduces costs nothing. A map of constant channels only is divided by 1.
    """
    live = variance > DEAD * variance.max()
    if not bool(live.any()):
        return torch.ones_like(variance, dtype=torch.float32)
    return torch.where(live, variance, variance[live].mean()).float()


def add_all(moments: Sequence[ChannelMoments], feature_maps: Sequence[Tensor]) -> None:
    """Takes in [Y_1, ..., Y_N] of one batch."""
    for moment, y in zip(moments, feature_maps, strict=True):
        moment.add(y)


def _by_channel(y: Tensor) -> Tensor:
    """(C, samples times positions)."""
    return y.movedim(1 if y.ndim == 4 else -1, 0).flatten(1)
