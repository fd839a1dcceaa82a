"""Which failures mean that memory ran out."""

from __future__ import annotations

import torch

_HOST = "DefaultCPUAllocator"
"""What torch names in the RuntimeError of an allocation on the CPU that failed; the rest differs between systems."""

_RUNTIME = ("Failed to allocate memory", "bad_alloc")
"""What ONNX Runtime says, in errors of the classes that it has for everything else, too."""


def ran_out(error: BaseException) -> bool:
    """True for an allocation that failed on any device, and for what was raised because of one."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(error, RuntimeError) and _HOST in str(error):
        return True
    if type(error).__module__.startswith("onnxruntime.") and any(words in str(error) for words in _RUNTIME):
        return True
    return error.__cause__ is not None and ran_out(error.__cause__)
