"""The batches that a group sees, as images: a function of the recipe alone, from any step on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from torch import Tensor

from donna.data import Dataset
from services.distiller.recipe import Recipe


def training(
    dataset: Dataset, recipe: Recipe, first_step: int = 0, end: int | None = None
) -> Iterator[Tensor]:
    """The (B, C, H, W) images of the steps from `first_step` to before `end` (None: to the last), augmented, in the
    order of the recipe's seed."""
    part = dataset.split("training")
    per_epoch = recipe.steps_per_epoch(len(part))
    steps = recipe.steps(len(part)) if end is None else end
    step = first_step
    while step < steps:
        epoch, done = divmod(step, per_epoch)
        batches = part.batches(
            recipe.batch_size,
            recipe.seed,
            epoch,
            augment=bool(dataset.description.augment),
            drop_last=True,
            first=done,
        )
        for images, _ in islice(batches, min(per_epoch - done, steps - step)):
            yield images
            step += 1


def statistics(dataset: Dataset, recipe: Recipe) -> Iterator[Tensor]:
    """Every training image once, as it is."""
    return (images for images, _ in dataset.split("training").batches(recipe.batch_size))


def calibration(dataset: Dataset, recipe: Recipe) -> Iterator[Tensor]:
    """The batches that training begins with, as they are: not augmented."""
    batches = dataset.split("training").batches(recipe.batch_size, recipe.seed, drop_last=True)
    return (images for images, _ in islice(batches, recipe.calibration_batches))


def held_out(dataset: Dataset, recipe: Recipe) -> Iterator[Tensor]:
    """Every image of the quality part once."""
    return (images for images, _ in dataset.split("quality").batches(recipe.batch_size))
