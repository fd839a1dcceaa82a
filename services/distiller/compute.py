"""The device, the threads and the memory that a group of blocks is trained with."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from donna.allocator import Option, give_back, set_options
from donna.nets.device import choose_device


@contextmanager
def working(device: str, threads: int) -> Iterator[tuple[torch.device, ThreadPoolExecutor]]:
    """The device for "auto", "cpu" or "cuda", and a pool of threads that each compute on their own.

    Raises FailedPrecondition when a GPU is asked for and there is none.
    """
    chosen = choose_device(device)
    _keep_memory()
    try:
        with ThreadPoolExecutor(
            stepping(chosen, threads), thread_name_prefix="block", initializer=_prepare_thread
        ) as pool:
            yield chosen, pool
    finally:
        give_back()


def stepping(device: torch.device, threads: int) -> int:
    """How many blocks are stepped at once. One thread feeds a GPU while the other prepares the next batch."""
    return threads if device.type == "cpu" else 2


def _keep_memory() -> None:
    """Lets the allocator keep what is freed, in one place for all threads, until it is told to give it back.

    Every step allocates the same tensors, of megabytes each. By default they go back to the kernel at once, and each
    page is zeroed again when it is next touched: a third of the time of a block on 32x32 maps (166 against 110 ms
    for a step, 13,700 against 1,900 page faults).
    """
    set_options(
        {
            Option.MOST_ARENAS: 1,
            Option.MMAP_THRESHOLD_BYTES: 1 << 30,
            Option.TRIM_THRESHOLD_BYTES: (1 << 31) - 1,
        }
    )


def one_thread_each() -> None:
    """Lets every operator run on the thread that calls it, for the whole process.

    Blocks run beside each other; results do not depend on how many threads there are, and none waits for others
    on a busy machine.
    """
    torch.set_num_threads(1)


def _prepare_thread() -> None:
    # Dying channels leave denormal numbers in the optimiser, which are many times slower to compute with.
    torch.set_flush_denormal(True)
