"""Which failures mean that memory ran out."""

from __future__ import annotations

import torch

_HOST = "DefaultCPUAllocator"
"""What torch names in the RuntimeError of an allocation on the CPU that failed; the rest differs between systems."""


def ran_out(error: BaseException) -> bool:
    """True for an allocation that failed on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and _HOST in str(error)
