"""One small reference and its cut, made once; one thread, so that tests do not fight for processors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from donna.nets import references
from donna.nets.cut import Cut, cut

SMALL_CNN = {
    "provider": "small_cnn",
    "arguments": {"in_channels": 1, "num_classes": 10, "widths": [8, 8, 16, 16]},
}
STAGES = ("stage1", "stage2", "stage3", "stage4")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def unsettle(model: nn.Module) -> nn.Module:
    """Gives normalisation statistics values of their own, so that a wrong copy shows."""
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.add_(0.01 * torch.randn_like(buffer))
        elif name.endswith("running_var"):
            buffer.mul_(0.1 + torch.rand_like(buffer))
    return model.eval()


@pytest.fixture
def small_cnn() -> nn.Module:
    torch.manual_seed(0)
    return unsettle(references.build(SMALL_CNN))


@pytest.fixture
def small_cut(small_cnn: nn.Module) -> Cut:
    return cut(small_cnn, STAGES, (1, 8, 8))
