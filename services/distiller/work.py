"""Block libraries as the engine sees them: one task for each group of blocks that trains together.

A trained block is remembered under its own key as soon as it is finished, so that neither a restart nor another
library trains it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from donna.artifacts import ArtifactStore
from donna.checkpoints import Checkpoints
from donna.jobs import Job, JobStore, Report, Task, TaskSpec
from donna.nets.device import choose_device
from donna.remembered import Remembered
from donna.space.settling import rank_correlation
from services.distiller import compute, keys, library
from services.distiller.admission import Admission, block_keys
from services.distiller.group import Group
from services.distiller.materials import Materials
from services.distiller.request import Request
from services.distiller.settings import DistillerSettings
from services.distiller.shelf import Shelf, files

KIND = "blockLibraries"


class DistillWork:
    """Splits a library into groups, distils a group, joins the manifest."""

    kind = KIND

    def __init__(
        self,
        artifacts: ArtifactStore,
        materials: Materials,
        admission: Admission,
        *,
        device: str,
        threads: int,
        checkpoint_interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.admission = admission
        self._artifacts = artifacts
        self._materials = materials
        self._device = device
        self._threads = threads
        self._interval_s = checkpoint_interval_s
        self._clock = clock

    @classmethod
    def of(cls, settings: DistillerSettings, store: JobStore, artifacts: ArtifactStore) -> DistillWork:
        """The work as the settings have it, for the service and for its workers."""
        compute.one_thread_each()
        materials = Materials(artifacts, settings.data_root)
        threads = settings.num_threads()
        local = settings.placement == "local"
        at_once = compute.stepping(choose_device(settings.device), threads) if local else threads
        recall = Remembered(store, artifacts, files).recall
        admission = Admission(
            artifacts,
            materials,
            recall,
            memory_bytes=settings.memory_bytes,
            threads=at_once,
            workers=settings.num_workers(),
            probe_device=settings.device if local else None,
        )
        return cls(
            artifacts,
            materials,
            admission,
            device=settings.device,
            threads=threads,
            checkpoint_interval_s=settings.checkpoint_interval_s,
        )

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        """One task for each group of the plan; the first one also sees to stem, head and what is known already."""
        planned = self.admission.plan(Request.parse(spec))
        groups = [list(group) for group in planned.plan.groups] or [[]]
        groups[0] = [*planned.plan.reused, *groups[0]]
        record = planned.record()
        return [
            TaskSpec(
                key="",  # blocks are remembered one by one
                spec={
                    "request": spec,
                    "plan": record,
                    "variants": [[variant.n, variant.m] for variant in group],
                    "ends": index == 0,
                },
                label=f"group {index + 1} of {len(groups)}",
                units=float(max(1, len(group))),
            )
            for index, group in enumerate(groups)
        ]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        """Distils one group. The result has the keys of everything that the group was asked for."""
        request = Request.parse(task.spec["request"])
        material = self._materials.load(request)
        variants = [v for v in self.admission.variants(request) if [v.n, v.m] in task.spec["variants"]]
        shelf = Shelf(self._artifacts, report, task.job)
        ends = None
        if task.spec["ends"]:
            # First: a reference of which no network can be made is known before blocks are trained.
            ends = shelf.put_ends(material.cut, material.source)
        known = report.recall([variant.key for variant in variants])
        missing = [variant for variant in variants if variant.key not in known]
        checkpoints = Checkpoints(self._artifacts, report, self._interval_s, self._clock)
        splits = 0
        if missing:
            with compute.working(self._device, self._threads) as (device, pool):
                group = Group(
                    request,
                    material,
                    device=device,
                    pool=pool,
                    report=report,
                    checkpoints=checkpoints,
                    shelf=shelf,
                )
                group.train(missing, parts=parts(task.attempt))
                splits = group.splits
        checkpoints.clear()  # no sooner: parts of a group go on from what they saved together
        blocks = report.recall([variant.key for variant in variants])
        # Counted by who made it, so that an interrupted task does not count its own blocks as reused.
        report.cost(blocks_reused=sum(block["made_by"] != task.job for block in blocks.values()))
        return {"blocks": blocks, "ends": ends, "splits": splits}

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        """Stores the manifest. Raises FailedPrecondition when no option of a block could be trained."""
        request = Request.parse(job.spec)
        material = self._materials.load(request)
        key = block_keys(material, request)
        results: dict[str, Mapping[str, Any]] = {}
        for task in tasks:
            results.update((task.result or {})["blocks"])
        ends = (tasks[0].result or {})["ends"]
        manifest = library.join(
            reference={**keys.reference_of(request.reference), "weights": ends["weights"]},
            dataset=request.dataset,
            recipe=request.recipe.to_dict(),
            provenance=request.reference["provenance"],
            input_shape=material.cut.input_shape,
            num_classes=material.cut.num_classes,
            blocks=[
                {
                    "name": block.name,
                    "options": [str(option) for option in block.options],
                    "input_shape": material.cut.input_shapes[n],
                    "output_shape": material.cut.output_shapes[n],
                }
                for n, block in enumerate(request.blocks)
            ],
            keys=[[key(n, option) for option in options] for n, options in enumerate(request.options)],
            results=results,
            stem=ends["stem"],
            head=ends["head"],
        )
        artifact = self._artifacts.put_bytes(manifest.to_json())
        return {
            "manifest": {"sha256": artifact.sha256, "size_bytes": artifact.size_bytes},
            "num_options": list(manifest.num_options),
            "settling": [
                {"block": block.name, "rank_correlation": rank_correlation(block)}
                for block in manifest.blocks
            ],
        }


def parts(attempt: int) -> int:
    """In how many parts a group is trained at this attempt, from 1. One worker may be lost to anything; that a second
    is lost before it got further looks like memory, for which the system kills without a word."""
    return 2 ** max(0, attempt - 2)
