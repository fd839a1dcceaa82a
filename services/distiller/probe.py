"""How long a library will take: a few real steps of a few of its blocks, where they will be trained.

Blocks are sampled evenly by size, so their mean time stands for all. Steps go through the distiller's own loop, on
the first real batches, with its threads; the first step is not counted. Where blocks are so large that this would
take long, batches are cut short and their time is scaled up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from donna.errors import FailedPrecondition
from services.distiller import batches, compute
from services.distiller.distill import distill, passes
from services.distiller.materials import Material
from services.distiller.product import finish
from services.distiller.recipe import Recipe
from services.distiller.student import enrol
from services.distiller.variants import Variant

SAMPLE = 8
STEPS = 3
MACS_OF_A_STEP = {"cpu": 1e9, "cuda": 1e11}
"""More multiply-adds than this, forward, and a probing step would take seconds."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What was measured: seconds for a training step of one block, for a pass of the reference, and to store a
    block; `origin` says on what, as a sentence. Steps and passes share the threads: their times add up."""

    step_s: float
    pass_s: float
    store_s: float
    origin: str

    def estimate_s(self, *, blocks: int, steps: int, passes: int, measured_batches: int) -> float:
        """The time of a library: `steps` of every block, `passes` of the reference, and `measured_batches` through
        every block forward alone, a third of a step's work."""
        return blocks * (self.step_s * (steps + measured_batches / 3) + self.store_s) + passes * self.pass_s


def probe(
    variants: Sequence[Variant], material: Material, recipe: Recipe, *, device: str, threads: int
) -> Pace:
    """Measures; `variants` are those to train, at least one."""
    chosen = sample(variants)
    with compute.working(device, threads) as (place, pool):
        cut = material.cut.to(place)
        macs = sum(variant.costs.macs for variant in chosen) + 1
        size = max(2, min(recipe.batch_size, int(MACS_OF_A_STEP[place.type] / macs)))
        images = [batch[:size] for batch in _first(material, recipe)]
        students = [enrol(cut, v.n, v.option, v.key, 0, recipe, place) for v in chosen]
        # Channels come first in a map, last in a sequence.
        channels = [shape[0] if len(shape) == 3 else shape[-1] for shape in cut.output_shapes]
        variances = [torch.ones(count, device=place) for count in channels]
        with passes(cut, images, place, pool) as maps:
            pass_s = _after_the_first(maps, place)
        steps = recipe.steps(len(material.dataset.split("training")))
        with passes(cut, images, place, pool) as maps:
            both_s = _after_the_first(
                distill(students, maps, variances, recipe, steps=steps, first_step=0, pool=pool), place
            )
        store_s = _store_s(students[0].module.to("cpu"), cut.input_shapes[students[0].n])
        where = torch.cuda.get_device_name(place) if place.type == "cuda" else f"{threads} threads of a CPU"
    scale = recipe.batch_size / size
    said = f"measured: {STEPS - 1} steps of {len(chosen)} of {len(variants)} blocks on {where}"
    if size < recipe.batch_size:
        said += f", batches of {size} scaled up to {recipe.batch_size}"
    return Pace(
        step_s=scale * max(0.0, both_s - pass_s) / len(chosen),
        pass_s=scale * pass_s,
        store_s=store_s,
        origin=said,
    )


def sample(variants: Sequence[Variant]) -> list[Variant]:
    """Up to SAMPLE variants at even distances in the order of their multiply-adds."""
    ordered = sorted(variants, key=lambda variant: variant.costs.macs)
    count = min(SAMPLE, len(ordered))
    return [ordered[int((i + 0.5) * len(ordered) / count)] for i in range(count)]


def _first(material: Material, recipe: Recipe) -> list[Tensor]:
    """The images of the first steps; a training part of fewer steps gives them again."""
    steps = min(STEPS, recipe.steps(len(material.dataset.split("training"))))
    found = list(islice(batches.training(material.dataset, recipe), steps))
    return [found[i % len(found)] for i in range(STEPS)]


def _store_s(module: nn.Module, input_shape: Sequence[int]) -> float:
    """Seconds to make a block ready to be stored, the second time; 0 for one that cannot be, which is left out of its
    library and no reason to refuse it."""
    try:
        finish(module, input_shape)
        started = time.perf_counter()
        finish(module, input_shape)
    except FailedPrecondition:
        return 0.0
    return time.perf_counter() - started


def _after_the_first(steps: Iterator[object], place: torch.device) -> float:
    """Seconds of one step, the mean of all but the first."""
    next(steps)
    started = time.perf_counter()
    count = sum(1 for _ in steps)
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    return (time.perf_counter() - started) / count
