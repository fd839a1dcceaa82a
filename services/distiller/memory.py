"""Which failures mean that memory ran out."""

from __future__ import annotations

import torch


def ran_out(error: BaseException) -> bool:
    """True for an allocation that failed on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
