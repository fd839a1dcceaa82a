"""Batch-normalisation statistics, estimated again after weights or neighbours have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrate(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces running mean and variance of every batch normalisation by their plain averages over `batches`
    (inputs of `module`). All other state, and the mode of every submodule, stays as it was.

    Without batch normalisation, `batches` is not read; with an empty `batches`, nothing changes.
    """
    if not _norms(module):
        return
    with recalibrating(module), torch.no_grad():
        for batch in batches:
            module(batch)


@contextmanager
def recalibrating(module: nn.Module) -> Iterator[None]:
    """Inside, every forward pass of `module` adds one batch to the new statistics; all batches count the same."""
    norms = _norms(module)
    modes = {m: m.training for m in module.modules()}
    before = [(norm.momentum, {k: v.clone() for k, v in norm.named_buffers(recurse=False)}) for norm in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for the cumulative average
        norm.train()
    try:
        yield
    finally:
        for norm, (momentum, buffers) in zip(norms, before, strict=True):
            norm.momentum = momentum
            unseen = norm.num_batches_tracked is not None and int(norm.num_batches_tracked) == 0
            for name, value in buffers.items():
                if unseen or name == "num_batches_tracked":
                    getattr(norm, name).copy_(value)
        for m, training in modes.items():
            m.training = training


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
