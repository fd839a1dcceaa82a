"""A small reference on the digits, and the request of a small library of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from donna.data import Dataset, load
from donna.nets import references
from donna.nets.cut import Cut, cut

STAGES = ("stage1", "stage2", "stage3", "stage4")
IR = "inverted_residual(activation=relu,attention=none,convolution=depthwise,depth=1,expansion={},kernel={})"
OPTIONS = (IR.format(2, 3), IR.format(1, 5), "skip()", "reference()")
REQUEST: dict[str, Any] = {
    "reference": {
        "provider": "small_cnn",
        "arguments": {"in_channels": 1, "num_classes": 10, "widths": [8, 8, 8, 12]},
        "weights": None,
        "provenance": {"owner": "a test"},
    },
    "dataset": {
        "provider": "digits",
        "split": {"training": 128, "quality": 40, "validation": 40, "test": 40, "seed": 0},
    },
    "blocks": [{"name": name, "options": list(OPTIONS)} for name in STAGES],
    "recipe": {"epochs": 2, "batch_size": 32, "seed": 3},
}
CPU = torch.device("cpu")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load(REQUEST["dataset"])


@pytest.fixture(scope="session")
def small_cut() -> Cut:
    torch.manual_seed(0)
    return cut(references.build(REQUEST["reference"]), STAGES, (1, 8, 8))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads
