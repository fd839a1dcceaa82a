"""Batch-normalisation statistics, estimated again after weights or neighbours have changed."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrate(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces running mean and variance of every batch normalisation by their plain averages over `batches`
    (inputs of `module`). All other state, and the mode of every submodule, stays as it was.

    Without batch normalisation, `batches` is not read; with an empty `batches`, nothing changes.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return
    modes = {m: m.training for m in module.modules()}
    before = [(norm.momentum, {k: v.clone() for k, v in norm.named_buffers(recurse=False)}) for norm in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        # None is torch's cumulative average: every batch counts the same.
        norm.momentum = None
        norm.train()
    seen = False
    try:
        with torch.no_grad():
            for batch in batches:
                module(batch)
                seen = True
    finally:
        for norm, (momentum, buffers) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if not seen:
                for name, value in buffers.items():
                    getattr(norm, name).copy_(value)
        for m, training in modes.items():
            m.training = training
