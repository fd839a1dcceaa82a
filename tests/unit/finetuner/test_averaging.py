"""The moving average against its recurrence in numpy."""

import numpy as np
import torch
from torch import nn

from services.finetuner.averaging import Average


def test_the_average_is_its_recurrence():
    rng = np.random.default_rng(0)
    network = nn.Linear(3, 2)
    average = Average(network, 0.9)
    expected = network.weight.detach().numpy().copy()
    for step in range(200):
        weights = rng.normal(size=(2, 3)).astype(np.float32)
        with torch.no_grad():
            network.weight.copy_(torch.from_numpy(weights))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weights
    assert np.abs(expected - weights).max() > 0.1
    average.apply()
    np.testing.assert_allclose(network.weight.detach().numpy(), expected, rtol=1e-4, atol=1e-6)
