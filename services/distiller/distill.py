"""Blockwise knowledge distillation of many students at once: one reference pass per batch feeds them all.

Students share nothing but the feature maps of the frozen reference, so training them together gives what
training each alone gives. They are stepped by a pool of threads: torch lets go of the interpreter while it
computes, and the reference's pass over the next batch runs beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from donna.nets.cut import Cut
from services.distiller.recipe import Recipe
from services.distiller.student import Student

S = TypeVar("S")
INSPECTION_STEPS = 20
"""Students are looked at for losses that are not finite once in so many steps."""


def feature_maps(cut: Cut, images: Tensor, device: torch.device) -> list[Tensor]:
    """[Y_0, ..., Y_N] on the device, channels last, which convolutions of students are fastest in."""
    images = images.to(device=device, non_blocking=True)
    maps = cut.feature_maps(images.contiguous(memory_format=torch.channels_last))
    return [y.contiguous(memory_format=torch.channels_last) if y.ndim == 4 else y for y in maps]


@contextmanager
def passes(
    cut: Cut, batches: Iterable[Tensor], device: torch.device, pool: ThreadPoolExecutor
) -> Iterator[Iterator[list[Tensor]]]:
    """Inside, the feature maps of every batch, each from one reference pass; the next pass runs ahead in the pool.

    However it is left, no pass is under way behind it.
    """
    source = iter(batches)
    ahead: list[Future[list[Tensor] | None]] = []

    def next_maps() -> list[Tensor] | None:
        images = next(source, None)
        return None if images is None else feature_maps(cut, images, device)

    def all_maps() -> Iterator[list[Tensor]]:
        ahead.append(pool.submit(next_maps))
        while (maps := ahead.pop().result()) is not None:
            ahead.append(pool.submit(next_maps))
            yield maps

    try:
        yield all_maps()
    finally:
        wait(ahead)


def for_each(students: Iterable[S], pool: ThreadPoolExecutor, act: Callable[[S], object]) -> None:
    """Acts on every student in the pool, and waits until all have been acted on; then raises what the first that
    failed has raised."""
    started = [pool.submit(act, student) for student in students]
    wait(started)
    for one in started:
        one.result()


def distill(
    students: Sequence[Student],
    maps_of_batches: Iterable[Sequence[Tensor]],
    variances: Sequence[Tensor],
    recipe: Recipe,
    *,
    steps: int,
    first_step: int,
    pool: ThreadPoolExecutor,
) -> Iterator[int]:
    """Trains the students, yielding the number of steps done after each batch.

    `maps_of_batches` are [Y_0, ..., Y_N] of the batches from `first_step` on, `variances[n]` the (C,) variance of
    block n's target Y_{n+1}. A student whose loss is no longer finite is ended; the others go on.
    """
    for step, maps in enumerate(maps_of_batches, first_step):
        rate = recipe.learning_rate_at(step, steps)

        def advance(student: Student, maps: Sequence[Tensor] = maps, rate: float = rate) -> None:
            student.step(maps[student.n], maps[student.n + 1], variances[student.n], rate)

        for_each(students, pool, advance)
        if (step + 1) % INSPECTION_STEPS == 0 or step + 1 == steps:
            for student in students:
                student.inspect(step + 1)
        yield step + 1
