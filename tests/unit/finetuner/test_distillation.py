"""The loss against the formula in numpy."""

import numpy as np
import pytest
import torch

from services.finetuner.distillation import hard_loss, mixed_loss, soft_loss


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 5)) * 3, rng.normal(size=(6, 5)) * 3, rng.integers(0, 5, 6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_loss_is_the_formula(batch, temperature):
    z, teacher, _ = batch
    p, q = softmax(teacher / temperature), softmax(z / temperature)
    expected = temperature**2 * (p * (np.log(p) - np.log(q))).sum(axis=1).mean()
    found = soft_loss(torch.tensor(z), torch.tensor(teacher), temperature)
    assert float(found) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_hard_loss_is_cross_entropy_with_smoothed_labels(batch, smoothing):
    z, _, y = batch
    targets = np.full((6, 5), smoothing / 5) + (1 - smoothing) * np.eye(5)[y]
    expected = -(targets * np.log(softmax(z))).sum(axis=1).mean()
    assert float(hard_loss(torch.tensor(z), torch.tensor(y), smoothing)) == pytest.approx(expected, rel=1e-9)


def test_the_mix(batch):
    z, teacher, y = map(torch.tensor, batch)
    for weight in (0.0, 0.3, 1.0):
        expected = weight * soft_loss(z, teacher, 2.0) + (1 - weight) * hard_loss(z, y)
        found = mixed_loss(z, y, teacher, soft_weight=weight, temperature=2.0)
        assert float(found) == pytest.approx(float(expected), rel=1e-12)
    assert float(mixed_loss(z, y, None, soft_weight=0.0, temperature=2.0)) == pytest.approx(
        float(hard_loss(z, y))
    )


def test_equal_logits_have_no_soft_loss_and_gradients_keep_their_size(batch):
    z, teacher, _ = map(torch.tensor, batch)
    assert float(soft_loss(z, z, 3.0)) == pytest.approx(0.0, abs=1e-12)
    sizes = []
    for temperature in (20.0, 40.0):
        x = z.clone().requires_grad_(True)
        soft_loss(x, teacher, temperature).backward()
        sizes.append(float(x.grad.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
