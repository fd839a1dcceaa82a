"""glibc's allocator, told how a process uses its memory. Where there is another one, nothing happens."""

from __future__ import annotations

import ctypes
from enum import IntEnum


class Option(IntEnum):
    """Of `mallopt`, as in glibc's malloc.h."""

    TRIM_THRESHOLD_BYTES = -1
    MMAP_THRESHOLD_BYTES = -3
    MOST_ARENAS = -8


def set_options(options: dict[Option, int]) -> None:
    """Sets them for the whole process, and for what it allocates from now on."""
    allocator = _glibc()
    if allocator is not None:
        for option, value in options.items():
            allocator.mallopt(option, value)


def give_back() -> None:
    """Gives the kernel what was freed and kept."""
    allocator = _glibc()
    if allocator is not None:
        allocator.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    allocator = ctypes.CDLL(None)
    return allocator if hasattr(allocator, "mallopt") and hasattr(allocator, "malloc_trim") else None
