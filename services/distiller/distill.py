"""Blockwise knowledge distillation of many students at once: one reference pass per batch feeds them all.

Students share nothing but the feature maps of the frozen reference, so training them together gives what
training each alone gives. They are stepped by a pool of threads: torch lets go of the interpreter while it
computes, and the reference's pass over the next batch runs beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from donna.nets.cut import Cut
from services.distiller.recipe import Recipe
from services.distiller.student import Student

INSPECTION_STEPS = 20
"""Students are looked at for losses that are not finite once in so many steps."""


def feature_maps(cut: Cut, images: Tensor, device: torch.device) -> list[Tensor]:
    """[Y_0, ..., Y_N] on the device, channels last, which convolutions of students are fastest in."""
    images = images.to(device=device, non_blocking=True)
    maps = cut.feature_maps(images.contiguous(memory_format=torch.channels_last))
    return [y.contiguous(memory_format=torch.channels_last) if y.ndim == 4 else y for y in maps]


def passes(
    cut: Cut, batches: Iterable[Tensor], device: torch.device, pool: ThreadPoolExecutor
) -> Iterator[list[Tensor]]:
    """The feature maps of every batch, each from one reference pass; the next pass runs ahead in the pool."""
    source = iter(batches)

    def next_maps() -> list[Tensor] | None:
        images = next(source, None)
        return None if images is None else feature_maps(cut, images, device)

    ahead: Future[list[Tensor] | None] = pool.submit(next_maps)
    while (maps := ahead.result()) is not None:
        ahead = pool.submit(next_maps)
        yield maps


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
    step = first_step
    for step, maps in enumerate(maps_of_batches, first_step):
        rate = recipe.learning_rate_at(step, steps)

        def advance(student: Student, maps: Sequence[Tensor] = maps, rate: float = rate) -> None:
            student.step(maps[student.n], maps[student.n + 1], variances[student.n], rate)

        list(pool.map(advance, students))
        if (step + 1) % INSPECTION_STEPS == 0 or step + 1 == steps:
            for student in students:
                student.inspect(step + 1)
        yield step + 1
