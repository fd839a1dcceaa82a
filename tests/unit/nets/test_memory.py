"""Memory that really ran out is known for what it is; nothing else is."""

import numpy as np
import pytest
import torch

from donna.nets.memory import ran_out

TOO_MUCH = 1 << 50


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(TOO_MUCH),
        lambda: torch.zeros(1).expand(TOO_MUCH).clone(),
        lambda: np.ones(TOO_MUCH),
        lambda: bytearray(TOO_MUCH),
    ],
    ids=["empty", "clone", "numpy", "python"],
)
def test_an_allocation_that_fails(allocate):
    with pytest.raises((RuntimeError, MemoryError)) as failed:
        allocate()
    assert ran_out(failed.value)


def test_other_failures_are_not_of_memory():
    with pytest.raises(RuntimeError) as failed:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not ran_out(failed.value)
    assert not ran_out(ValueError("DefaultCPUAllocator"))
