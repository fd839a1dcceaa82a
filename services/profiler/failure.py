"""How a measurement can fail, as stable words. A failed measurement says nothing of the ones beside it."""

from __future__ import annotations

from donna.errors import DonnaError, FailedPrecondition

OUT_OF_MEMORY = "OUT_OF_MEMORY"
TIMEOUT = "TIMEOUT"
UNSUPPORTED_OP = "UNSUPPORTED_OP"
INVALID_MODEL = "INVALID_MODEL"
UNMEASURABLE = "UNMEASURABLE"
DEVICE_LOST = "DEVICE_LOST"
DEVICE_TOO_WARM = "DEVICE_TOO_WARM"
CRASHED = "CRASHED"
STORAGE_FULL = "STORAGE_FULL"
BAD_OUTPUT = "BAD_OUTPUT"

REASONS = (
    OUT_OF_MEMORY,
    TIMEOUT,
    UNSUPPORTED_OP,
    INVALID_MODEL,
    UNMEASURABLE,
    DEVICE_LOST,
    DEVICE_TOO_WARM,
    CRASHED,
    STORAGE_FULL,
    BAD_OUTPUT,
)

_MEMORY_WORDS = (
    "bad_alloc",
    "out of memory",
    "failed to allocate",
    "allocation failed",
    "unable to allocate",
)
_UNSUPPORTED_WORDS = ("not implemented", "is not a registered function/op", "no op registered", "unsupported")


def failure(reason: str, message: str) -> DonnaError:
    """The error of one failed measurement; trying again without a change would fail again."""
    return FailedPrecondition(message, reason=reason)


def reason_of(error: BaseException, *, loading: bool) -> str:
    """Which of REASONS an exception of the runtime means; runtimes tell most of it in words only."""
    text = f"{type(error).__name__} {error}".lower()
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY_WORDS):
        return OUT_OF_MEMORY
    if type(error).__name__ == "NotImplemented" or any(word in text for word in _UNSUPPORTED_WORDS):
        return UNSUPPORTED_OP
    return INVALID_MODEL if loading else CRASHED
