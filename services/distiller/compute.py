"""The device, the threads and the memory that a group of blocks is trained with."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from donna.nets.device import choose_device

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h


@contextmanager
def working(device: str, threads: int) -> Iterator[tuple[torch.device, ThreadPoolExecutor]]:
    """The device for "auto", "cpu" or "cuda", and a pool of threads that each compute on their own.

    Raises FailedPrecondition when a GPU is asked for and there is none.
    """
    chosen = choose_device(device)
    allocator = _keep_memory()
    try:
        with ThreadPoolExecutor(
            stepping(chosen, threads), thread_name_prefix="block", initializer=_prepare_thread
        ) as pool:
            yield chosen, pool
    finally:
        if allocator is not None:
            allocator.malloc_trim(0)


def stepping(device: torch.device, threads: int) -> int:
    """How many blocks are stepped at once. One thread feeds a GPU while the other prepares the next batch."""
    return threads if device.type == "cpu" else 2


def _keep_memory() -> ctypes.CDLL | None:
    """Lets glibc's allocator keep what is freed, in one place for all threads, until it is told to give it back.

    Every step allocates the same tensors, of megabytes each. By default they go back to the kernel at once, and each
    page is zeroed again when it is next touched: a third of the time of a block on 32x32 maps (166 against 110 ms
    for a step, 13,700 against 1,900 page faults). Other allocators are left alone.
    """
    allocator = ctypes.CDLL(None)
    if not hasattr(allocator, "mallopt") or not hasattr(allocator, "malloc_trim"):
        return None
    for option, value in (
        (_M_ARENA_MAX, 1),
        (_M_MMAP_THRESHOLD, 1 << 30),
        (_M_TRIM_THRESHOLD, (1 << 31) - 1),
    ):
        allocator.mallopt(option, value)
    return allocator


def one_thread_each() -> None:
    """Lets every operator run on the thread that calls it, for the whole process.

    Blocks run beside each other; results do not depend on how many threads there are, and none waits for others
    on a busy machine.
    """
    torch.set_num_threads(1)


def _prepare_thread() -> None:
    # Dying channels leave denormal numbers in the optimiser, which are many times slower to compute with.
    torch.set_flush_denormal(True)
