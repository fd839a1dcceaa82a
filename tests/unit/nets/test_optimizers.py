"""The registry of optimisers, and a state that goes back into place whatever its layout was."""

import pytest
import torch
from torch import nn

from donna.nets import optimizers
from donna.nets.weights import dump_state, read_state
from services.distiller import recipe as distillation
from services.finetuner import recipe as finetuning


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))
    return layers.to(memory_format=torch.channels_last)


def advance(module, optimizer, steps):
    for step in steps:
        x = torch.randn(3, 6, 6, 6, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        module(x).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_restored_state_goes_on_bit_for_bit(name):
    whole = network()
    advance(whole, optimizers.build(name, whole, 1e-2, 0.1), range(6))
    first = network()
    optimizer = optimizers.build(name, first, 1e-2, 0.1)
    advance(first, optimizer, range(3))
    saved = read_state(dump_state(optimizers.state(optimizer)))
    second = network()
    second.load_state_dict(read_state(dump_state(first.state_dict())))
    again = optimizers.build(name, second, 1e-2, 0.1)
    optimizers.restore(again, saved)
    assert again.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()
    advance(second, again, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))


def test_vectors_are_not_decayed():
    module = network()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimizer = optimizers.build("adamw", module, 0.1, 0.5)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in module.named_parameters():
        expected = before[name] * (0.95 if parameter.ndim > 1 else 1)
        torch.testing.assert_close(parameter.detach(), expected)


def test_recipes_know_every_optimiser():
    assert set(distillation.OPTIMIZERS) == set(finetuning.OPTIMIZERS) == set(optimizers.OPTIMIZERS)
