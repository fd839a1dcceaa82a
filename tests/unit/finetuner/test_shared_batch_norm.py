"""Batch normalisation that several processes share is the plain one on the whole batch, or it is refused."""

import pytest
import torch
from torch import distributed, nn

from donna.errors import FailedPrecondition
from services.finetuner.group import Group


@pytest.fixture
def _a_process_of_one(tmp_path):
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("_a_process_of_one")
@pytest.mark.parametrize(
    "settings", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}]
)
@pytest.mark.parametrize(
    ("kind", "shape"), [(nn.BatchNorm1d, (8, 3)), (nn.BatchNorm1d, (8, 3, 5)), (nn.BatchNorm2d, (8, 3, 5, 4))]
)
def test_it_is_the_plain_one(kind, shape, settings):
    plain, shared = nn.Sequential(kind(3, **settings)), nn.Sequential(kind(3, **settings))
    Group(size=2).share(shared)
    assert type(shared[0]) is not kind
    for _ in range(3):
        x = torch.randn(shape) + 2
        inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
        outputs = [module(x) for module, x in zip((plain, shared), inputs, strict=True)]
        for output in outputs:
            (output**3).mean().backward()
        torch.testing.assert_close(outputs[1], outputs[0])
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], tensor, msg=name)
    torch.testing.assert_close(shared.eval()(x), plain.eval()(x))


class WithActivation(nn.BatchNorm2d):
    """As timm has it."""

    def forward(self, x):
        return super().forward(x).relu()


def test_one_of_a_kind_of_its_own_is_refused_by_name():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), WithActivation(3))
    Group().share(network)  # one process has the whole batch
    with pytest.raises(FailedPrecondition, match=r"^1 \(WithActivation\) normalises over the batch"):
        Group(size=2).share(network)
