"""Re-estimated statistics are the plain averages over the batches, and nothing else moves."""

from __future__ import annotations

import torch
from torch import nn

from donna.nets.normalization import recalibrate


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.ReLU()).eval()


def test_statistics_are_averages_over_batches() -> None:
    module = net()
    batches = [torch.randn(8, 2, 4, 4) * scale for scale in (1, 2, 5)]
    recalibrate(module, batches)
    inside = [module[0](batch) for batch in batches]
    mean = torch.stack([y.mean((0, 2, 3)) for y in inside]).mean(0)
    variance = torch.stack([y.var((0, 2, 3)) for y in inside]).mean(0)
    torch.testing.assert_close(module[1].running_mean, mean)
    torch.testing.assert_close(module[1].running_var, variance)


def test_weights_modes_and_momentum_stay() -> None:
    module = net()
    module[1].momentum = 0.3
    weights = {name: p.clone() for name, p in module.named_parameters()}
    recalibrate(module, [torch.randn(8, 2, 4, 4)])
    assert all(torch.equal(p, weights[name]) for name, p in module.named_parameters())
    assert not any(m.training for m in module.modules())
    assert module[1].momentum == 0.3


def test_without_batches_nothing_changes() -> None:
    module = net()
    before = {name: t.clone() for name, t in module.state_dict().items()}
    recalibrate(module, [])
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())


def test_without_normalisation_no_batch_is_read() -> None:
    recalibrate(nn.Conv2d(1, 1, 1), iter(lambda: 1 / 0, None))
