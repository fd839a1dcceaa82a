"""Channel variances against numpy, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from services.distiller.statistics import ChannelMoments, guarded


@pytest.mark.parametrize(("shape", "axes"), [((50, 3, 4, 5), (0, 2, 3)), ((50, 6, 3), (0, 1))])
def test_batches_together_give_the_variance_of_the_whole(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    y = torch.randn(shape) * 2 + 1000
    moments = ChannelMoments()
    for batch in y.split([7, 1, 30, 12]):
        moments.add(batch)
    expected = y.double().numpy().var(axis=axes)
    np.testing.assert_allclose(moments.variance.numpy(), expected, rtol=1e-9)


def test_constant_channels_take_the_mean_of_the_others() -> None:
    variance = torch.tensor([4.0, 0.0, 2.0, 1e-12], dtype=torch.float64)
    assert guarded(variance).tolist() == [4.0, 3.0, 2.0, 3.0]
    assert guarded(torch.zeros(3, dtype=torch.float64)).tolist() == [1.0, 1.0, 1.0]
