"""What a full ImageNet library costs on 8, 64 and 512 GPUs, on paper: `python -m bench.scale` prints JSON.

1,920 blocks (5 x 384) of EfficientNet-B0, their costs counted on the real modules, grouped by the distiller's own
planner; times from assumed rates, which stand in the output; makespans from a seeded simulation.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from bench.makespan import Fleet, simulate
from donna.checkpoints import WRITING_SHARE
from donna.nets import references
from donna.nets.costs import count
from donna.nets.cut import cut as cut_at
from donna.space import Option
from services.distiller.plan import Plan, make_plan
from services.distiller.variants import Variant, shared_bytes, variants

IMAGES, SHAPE, BLOCKS = 1_281_167, (3, 224, 224), tuple(f"features.{n}" for n in range(2, 7))
CHECKPOINT_INTERVAL_S = 10.0
GRID = {
    "kernel": (3, 5, 7), "expansion": (2, 3, 4, 6), "depth": (1, 2, 3, 4), "activation": ("relu", "silu"),
    "attention": ("none", "squeeze_excite"), "convolution": ("depthwise", "grouped"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """Rates that were not measured here."""

    epochs: int = 1
    batch_size: int = 64
    gpu_memory_bytes: int = 64 << 30
    reference_flop_per_s: float = 20e12
    """Inference of a mobile network in half precision on one GPU; far below the peak, since it is bound by memory."""
    training_flop_per_s: float = 6e12
    """Forward and backward of small depthwise blocks."""
    image_bytes: int = 110_000
    images_per_s: float = 4_000.0
    """Images that the processors of one worker read and decode."""
    checkpoint_bytes_per_s: float = 200e6
    """What a checkpoint is made and written with."""


def options() -> list[Option]:
    """The 384 options of each block."""
    made: list[dict[str, Any]] = [{}]
    for name, values in GRID.items():
        made = [{**one, name: value} for one in made for value in values]
    return [Option(family="inverted_residual", parameters=tuple(sorted(one.items()))) for one in made]


def group_s(group: tuple[Variant, ...], reference_macs: int, assumed: Assumed) -> tuple[float, float]:
    """Seconds that a group needs from its GPU, and from the processors that read images: the longer one counts."""
    images = IMAGES * assumed.epochs
    training = 3 * 2 * sum(variant.costs.macs for variant in group) * images / assumed.training_flop_per_s
    passes = 2 * reference_macs * images / assumed.reference_flop_per_s
    return training + passes, images / assumed.images_per_s


def checkpoint_s(plan: Plan, assumed: Assumed) -> float:
    """How old the largest group's checkpoint becomes: writing one may take a small share of the time alone."""
    weights = max(sum(variant.costs.weight_bytes for variant in group) for group in plan.groups)
    written = 3 * weights  # beside two moments of the optimiser
    return max(CHECKPOINT_INTERVAL_S, WRITING_SHARE * written / assumed.checkpoint_bytes_per_s)


def report(plan: Plan, reference_macs: int, assumed: Assumed, gpus: int) -> dict[str, object]:
    """One plan on so many GPUs."""
    times = [group_s(group, reference_macs, assumed) for group in plan.groups]
    durations = [max(pair) for pair in times]
    interval_s = checkpoint_s(plan, assumed)
    preempted = Fleet(workers=gpus, mtbf_h=6.0, checkpoint_s=interval_s)
    runs = {
        "quiet": Fleet(workers=gpus),
        "preempted": preempted,
        "uneven_and_preempted": replace(preempted, straggling=0.3),
    }
    outcomes = {name: [simulate(durations, fleet, seed) for seed in range(5)] for name, fleet in runs.items()}
    variants_trained = plan.blocks_to_train
    return {
        "gpus": gpus,
        "groups": len(plan.groups),
        "variants_per_group": [min(map(len, plan.groups)), max(map(len, plan.groups))],
        "reference_passes_epochs": len(plan.groups) * assumed.epochs,
        "reference_passes_saved": 1 - len(plan.groups) / variants_trained,
        "images_read_bytes": len(plan.groups) * assumed.epochs * IMAGES * assumed.image_bytes,
        "bound_by_reading": float(np.mean([reading > gpu for gpu, reading in times])),
        "gpu_h": sum(gpu for gpu, _ in times) / 3600,
        "makespan_h": {
            name: round(float(np.median([o.makespan_s for o in found])) / 3600, 2)
            for name, found in outcomes.items()
        },
        "utilisation": {
            name: round(float(np.median([o.utilisation(gpus) for o in found])), 3)
            for name, found in outcomes.items()
        },
        "lost_h": {
            name: round(float(np.median([o.lost_s for o in found])) / 3600, 3)
            for name, found in outcomes.items()
        },
        "checkpoint_s": round(interval_s, 1),
        "transactions_per_s": {
            "lease_renewals": min(gpus, len(plan.groups)) / 2.0,
            "progress_at_most": min(gpus, len(plan.groups)) * 5.0,
            "checkpoints": min(gpus, len(plan.groups)) / interval_s,
        },
    }


def main() -> None:
    """Prints the report for each number of GPUs: planned for so many workers and for more, and with less memory."""
    assumed = Assumed()
    model = references.build({"provider": "torchvision", "arguments": {"name": "efficientnet_b0"}})
    cut = cut_at(model, BLOCKS, SHAPE)
    grid = [options() for _ in BLOCKS]
    found = variants(cut, grid, lambda n, option: f"{n}/{option}")
    reference = count(cut.model, cut.input_shape)
    shared = shared_bytes(cut, reference, assumed.batch_size)

    def plan(workers: int, budget_bytes: int) -> Plan:
        return make_plan(
            found,
            (),
            budget_bytes=budget_bytes,
            shared_bytes=shared,
            reference_macs=reference.macs,
            batch_size=assumed.batch_size,
            threads=2,  # as many as are stepped at once on a GPU: services/distiller/compute.py
            workers=workers,
        )

    whole = assumed.gpu_memory_bytes
    cases = [(1, whole), (1, whole >> 2), (1, whole >> 4), (1, whole >> 5), (2, whole), (4, whole)]
    weights = sum(variant.costs.weight_bytes for variant in found)
    json.dump(
        {
            "assumed": asdict(assumed),
            "variants": len(found),
            "weights_bytes": weights,
            "fragments_bytes": weights,
            "largest_weights_bytes": max(variant.costs.weight_bytes for variant in found),
            "shared_bytes": shared,
            "reference_macs": reference.macs,
            "mean_variant_macs": float(np.mean([variant.costs.macs for variant in found])),
            "planned_for_one_worker": report(plan(1, whole), reference.macs, assumed, 8),
            "reports": [
                {
                    "workers_planned_for": rounds * gpus,
                    "budget_gib": budget / 2**30,
                    **report(plan(rounds * gpus, budget), reference.macs, assumed, gpus),
                }
                for gpus in (8, 64, 512)
                for rounds, budget in cases
            ],
        },
        sys.stdout,
        indent=2,
    )


if __name__ == "__main__":
    main()
