"""The device that tensors are computed on."""

from __future__ import annotations

import torch

from donna.errors import FailedPrecondition


def choose_device(device: str) -> torch.device:
    """The device for "auto" (a GPU where there is one), "cpu" or "cuda".

    Raises FailedPrecondition when a GPU is asked for and there is none.
    """
    cuda = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise FailedPrecondition("the device is set to cuda, but torch finds no GPU", reason="DEVICE_MISSING")
    return torch.device("cuda" if cuda else "cpu")
