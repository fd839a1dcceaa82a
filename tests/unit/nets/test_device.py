"""A device that is not there is a sentence."""

import pytest
import torch

from donna.errors import FailedPrecondition
from donna.nets.device import choose_device


def test_a_gpu_is_asked_for_and_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(FailedPrecondition, match="set to cuda, but torch finds no GPU"):
        choose_device("cuda")


def test_auto_takes_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")
