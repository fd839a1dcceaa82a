"""The device and the threads that a group of blocks is trained with."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from donna.errors import FailedPrecondition


@contextmanager
def working(device: str, threads: int) -> Iterator[tuple[torch.device, ThreadPoolExecutor]]:
    """The device for "auto", "cpu" or "cuda", and a pool of threads that each compute on their own.

    On a GPU one thread feeds the device while the other prepares the next batch.
    Raises FailedPrecondition when a GPU is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise FailedPrecondition("the device is set to cuda, but torch finds no GPU", reason="DEVICE_MISSING")
    chosen = torch.device("cuda" if cuda and device != "cpu" else "cpu")
    workers = threads if chosen.type == "cpu" else 2
    with ThreadPoolExecutor(workers, thread_name_prefix="block", initializer=_prepare_thread) as pool:
        yield chosen, pool


def one_thread_each() -> None:
    """Lets every operator run on the thread that calls it, for the whole process.

    Blocks run beside each other; results do not depend on how many threads there are, and none waits for others
    on a busy machine.
    """
    torch.set_num_threads(1)


def _prepare_thread() -> None:
    # Dying channels leave denormal numbers in the optimiser, which are many times slower to compute with.
    torch.set_flush_denormal(True)
