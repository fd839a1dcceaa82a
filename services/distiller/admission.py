"""Checks a request against the world before a job is made of it, and plans the work."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Lock
from typing import Any

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition, Violation
from donna.nets import references
from donna.nets.costs import Costs, count
from donna.space import Option
from services.distiller import keys
from services.distiller.materials import Material, Materials
from services.distiller.plan import Plan, make_plan
from services.distiller.probe import Pace, probe
from services.distiller.request import Request
from services.distiller.variants import Variant, shared_bytes, variants

Recall = Callable[[list[str]], dict[str, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan with what it is made for; `ends` are the costs of stem and head."""

    request: Request
    plan: Plan
    variants: Sequence[Variant]
    ends: tuple[Costs, Costs]
    reference_passes: int
    estimated_s: float
    estimated_from: str

    def record(self) -> dict[str, Any]:
        """The plan as JSON; `costs` has (smallest, largest) of whole networks."""
        return {
            "blocks_to_train": self.plan.blocks_to_train,
            "blocks_to_reuse": len(self.plan.reused),
            "groups": len(self.plan.groups),
            "reference_passes": self.reference_passes,
            "estimated_memory_bytes": self.plan.memory_bytes,
            "estimated_s": self.estimated_s,
            "estimated_from": self.estimated_from,
            "costs": {field.name: self._range(field.name) for field in fields(Costs)},
        }

    def _range(self, cost: str) -> tuple[float, float]:
        """Costs add up over the parts, except for activations, of which the largest part counts."""
        join = max if cost == "activation_bytes" else sum
        fixed = [getattr(end, cost) for end in self.ends]
        values: dict[int, list[int]] = {}
        for variant in self.variants:
            values.setdefault(variant.n, []).append(getattr(variant.costs, cost))
        smallest, largest = map(min, values.values()), map(max, values.values())
        return float(join([*fixed, *smallest])), float(join([*fixed, *largest]))


class Admission:
    """Admits requests, and plans their work for so many `workers`; `recall` tells which blocks are known already.
    `probe_device` is the device to measure a few steps on for the plan's time, or None when blocks are trained on
    another machine."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        materials: Materials,
        recall: Recall,
        *,
        memory_bytes: int,
        threads: int,
        workers: int,
        probe_device: str | None,
    ) -> None:
        self._artifacts = artifacts
        self._materials = materials
        self._recall = recall
        self._memory_bytes = memory_bytes
        self._threads = threads
        self._workers = workers
        self._probe_device = probe_device
        self._one_plan = Lock()
        self._paces: dict[str, Pace] = {}
        self._counted: dict[str, tuple[list[Variant], tuple[Costs, Costs]]] = {}

    @property
    def data_root(self) -> Path | None:
        """The folder that dataset files are looked for in."""
        return self._materials.data_root

    def admit(self, raw: dict[str, Any]) -> Request:
        """The request with every default written out.

        Raises InvalidArgument, NotFound or FailedPrecondition naming the wrong field.
        """
        request = Request.parse(raw)
        sha256 = request.reference.get("weights")
        if sha256 and not self._artifacts.has(sha256):
            said = f"artifact {sha256} is not in the store"
            raise FailedPrecondition(
                f"reference.weights: {said}",
                reason="ARTIFACT_MISSING",
                violations=[Violation(field="reference.weights", description=said)],
            )
        resolved = references.resolve(request.reference)
        provenance = {
            **references.provenance(resolved),
            **(request.reference.get("provenance") or {}),
        }
        request = replace(request, reference={**resolved, "weights": sha256, "provenance": provenance})
        dataset = self._materials.dataset(request.dataset)
        return replace(request, dataset=dataset.describe(), identity=dataset.identity)

    def variants(self, request: Request) -> Sequence[Variant]:
        """Every option of every block of an admitted request."""
        with self._one_plan:
            return self._count(self._materials.load(request), request)[0]

    def plan(self, request: Request) -> Planned:
        """The groups of an admitted request. Raises InvalidArgument when an option does not fit its block.

        Plans wait for each other: they run the same reference, and measure how long that takes.
        """
        with self._one_plan:
            return self._plan(request)

    def _plan(self, request: Request) -> Planned:
        material = self._materials.load(request)
        found, ends = self._count(material, request)
        batch_size = request.recipe.batch_size
        statistics = keys.statistics_key(
            source=material.source, blocks=material.cut.names, batch_size=batch_size
        )
        known = self._recall([*(variant.key for variant in found), statistics])
        reference = count(material.cut.model, material.cut.input_shape)
        made = make_plan(
            found,
            known,
            budget_bytes=self._memory_bytes,
            shared_bytes=shared_bytes(
                material.cut, reference, batch_size, references=1 + request.recipe.replace_one_quality
            ),
            reference_macs=reference.macs,
            batch_size=batch_size,
            threads=self._threads,
            workers=self._workers,
        )
        measuring = 0 if statistics in known else min(len(made.groups), self._workers)
        passes = _passes(material, request, len(made.groups), measuring)
        estimated_s, estimated_from = self._estimate(material, request, made, passes)
        return Planned(
            request=request,
            plan=made,
            variants=found,
            ends=ends,
            reference_passes=passes,
            estimated_s=estimated_s,
            estimated_from=estimated_from,
        )

    def _estimate(self, material: Material, request: Request, plan: Plan, passes: int) -> tuple[float, str]:
        """Seconds on one worker, and where that comes from; measured once for a set of blocks to train."""
        missing = [variant for group in plan.groups for variant in group]
        if not missing:
            return 0.0, "every block is known already"
        if self._probe_device is None:
            return 0.0, "not estimated: blocks are trained on other machines than this one"
        name = keys.digest([variant.key for variant in missing])
        if name not in self._paces:
            pace = probe(missing, material, request.recipe, device=self._probe_device, threads=self._threads)
            self._paces = {name: pace}
        pace, training = self._paces[name], len(material.dataset.split("training"))
        return pace.estimate_s(
            blocks=len(missing),
            steps=request.recipe.steps(training),
            passes=passes,
            measured_batches=_measured_batches(material, request),
        ), pace.origin

    def _count(self, material: Material, request: Request) -> tuple[list[Variant], tuple[Costs, Costs]]:
        """Variants and ends of a request; of the last request they are kept, for a check and its job follow."""
        name = json.dumps(request.to_dict(), sort_keys=True)
        if name not in self._counted:
            ends = (
                count(material.cut.stem, material.cut.input_shape),
                count(material.cut.head, material.cut.output_shapes[-1]),
            )
            found = variants(material.cut, request.options, block_keys(material, request))
            self._counted = {name: (found, ends)}
        return self._counted[name]


def block_keys(material: Material, request: Request) -> Callable[[int, Option], str]:
    """The content key of an option of block n."""
    return lambda n, option: keys.block_key(
        source=material.source, block=request.names[n], option=option, recipe=request.recipe
    )


def _passes(material: Material, request: Request, groups: int, measuring: int) -> int:
    """Batches through the reference, at most: for each group training, and calibration and quality at every measured
    point; the statistics for each of so many groups, those that start before one has measured them."""
    recipe, training = request.recipe, len(material.dataset.split("training"))
    for_each = recipe.steps(training) + _measured_batches(material, request)
    return groups * for_each + measuring * math.ceil(training / recipe.batch_size)


def _measured_batches(material: Material, request: Request) -> int:
    """Batches of calibration and quality through every block, at all measured points together."""
    recipe = request.recipe
    training, quality = (len(material.dataset.split(part)) for part in ("training", "quality"))
    calibration = min(recipe.calibration_batches, recipe.steps_per_epoch(training))
    return len(recipe.quality_steps(training)) * (calibration + math.ceil(quality / recipe.batch_size))
