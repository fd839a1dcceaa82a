"""Several processes training one network: each takes its share of every batch, all take the same step.

Gradients are averaged after the backward pass, and batch normalisation sees the statistics of the whole
batch, so the step is that of one process with the whole batch, to within rounding. torch's own
SyncBatchNorm does the latter on GPUs only. What is drawn at random (augmentation, dropout), each process draws for its
share: with those, the step is one of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from donna.errors import FailedPrecondition


@dataclass(frozen=True, kw_only=True)
class Group:
    """Process `rank` of `size`; the default is a process on its own. `distributed` must be initialised when
    `size` is more than 1."""

    rank: int = 0
    size: int = 1

    def share(self, network: nn.Module) -> None:
        """Makes the network's batch normalisations look at the whole group's batch, in place.

        Raises FailedPrecondition, naming the submodule, for one of a kind that nobody here knows how to share.
        """
        for name, module in network.named_modules() if self.size > 1 else ():
            if type(module) in _SHARED:
                module.__class__ = _SHARED[type(module)]  # parameters, statistics and names stay as they are
            elif isinstance(module, _BatchNorm) and type(module) not in _SHARED.values():
                raise FailedPrecondition(
                    f"{name} ({type(module).__name__}) normalises over the batch in a way of its own, which several "
                    "processes cannot share; set recipe.processes to 1",
                    reason="NOT_SHARED",
                )

    def average_gradients(self, network: nn.Module) -> None:
        """Replaces every gradient by its mean over the group."""
        if self.size == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a scalar over the group."""
        if self.size == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total / self.size


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; the gradient of each term is the sum of the gradients that the processes
    found for their copy of the total. Ours, since torch's own went to another name within the versions we take."""

    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:  # type: ignore[override]
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all processes, each of the same size; (B, C) or (B, C, ...)."""

    def forward(self, x: Tensor) -> Tensor:
        """In training mode: mean and variance of the whole batch, two collectives; else as its base class."""
        if not self.training:
            return super().forward(x)
        axes, per_channel = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        mean = _Sum.apply(x.sum(dim=axes)) / count
        centred = x - mean.view(per_channel)
        variance = _Sum.apply(centred.square().sum(dim=axes)) / count
        self._remember(mean.detach(), variance.detach() * count / max(1, count - 1))
        y = centred * torch.rsqrt(variance + self.eps).view(per_channel)
        if self.weight is None:
            return y
        return y * self.weight.view(per_channel) + self.bias.view(per_channel)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        # None is the plain average over all batches, as in the base class.
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class _SharedBatchNorm1d(_SharedBatchNorm, nn.BatchNorm1d):
    pass


class _SharedBatchNorm2d(_SharedBatchNorm, nn.BatchNorm2d):
    pass


_SHARED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _SharedBatchNorm1d,
    nn.BatchNorm2d: _SharedBatchNorm2d,
}
