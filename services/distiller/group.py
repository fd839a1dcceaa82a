"""One group of blocks, from the reference to remembered results: the mathematics of this service, with its
progress, its cost, its checkpoints and its artifacts.

What comes out is a function of the request alone; interruptions and splits only decide when.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from donna.checkpoints import Checkpoints
from donna.errors import ResourceExhausted
from donna.jobs import Report
from donna.nets.cut import Cut
from donna.nets.memory import ran_out
from donna.nets.weights import dump_state, read_state
from services.distiller import batches, keys
from services.distiller.distill import distill, passes
from services.distiller.materials import Material
from services.distiller.quality import HeldOut, recalibrate_all
from services.distiller.request import Request
from services.distiller.shelf import Shelf
from services.distiller.state import pack, share, unpack
from services.distiller.statistics import ChannelMoments, add_all, guarded
from services.distiller.student import Student, enrol
from services.distiller.variants import Variant

_FINISHING = 0.1
"""The share of a group's progress that measuring and storing its blocks counts for."""


class Group:
    """Distils variants of one request. `pool` steps them; `report` is the running task's; `splits` counts into how
    many more parts it was split."""

    def __init__(
        self,
        request: Request,
        material: Material,
        *,
        device: torch.device,
        pool: ThreadPoolExecutor,
        report: Report,
        checkpoints: Checkpoints,
        shelf: Shelf,
    ) -> None:
        self._recipe = request.recipe
        self._dataset = material.dataset
        self._source = material.source
        self._cut = material.cut.to(device)
        self._device = device
        self._pool = pool
        self._report = report
        self._checkpoints = checkpoints
        self._shelf = shelf
        self._steps = self._recipe.steps(len(self._dataset.split("training")))
        self._done, self._total = 0, 0
        self._begun_from: dict[str, Tensor] = {}
        self.splits = 0

    def train(self, variants: Sequence[Variant], parts: int = 1) -> None:
        """Trains, measures, exports and remembers every variant, in so many parts, one after the other. Where memory
        runs out, a part goes on in halves. Raises ResourceExhausted when there is not enough for a single variant."""
        self._total = len(variants)
        size = -(-len(variants) // parts)
        divided = [variants[start : start + size] for start in range(0, len(variants), size)]
        self.splits += len(divided) - 1
        self._train_each(divided, self._saved())

    def _train_each(self, parts: Sequence[Sequence[Variant]], saved: dict[str, Tensor]) -> None:
        """Each part goes on from its own share of what was saved: what an earlier one saves takes its place."""
        shares = [share([v.key for v in part], saved) for part in parts]
        saved.clear()
        for part, own in zip(parts, shares, strict=True):
            self._train(part, own)
            own.clear()

    def _train(self, variants: Sequence[Variant], saved: dict[str, Tensor]) -> None:
        try:
            self._train_together(variants, saved)
        except Exception as error:
            if not ran_out(error):
                raise
            if len(variants) == 1:
                raise ResourceExhausted(
                    f"there is not enough memory to train {variants[0].option} alone", reason="OUT_OF_MEMORY"
                ) from None
        else:
            return
        gc.collect()  # what failed refers to itself, and to the students
        torch.cuda.empty_cache()
        self.splits += 1
        half = len(variants) // 2
        self._say(0.0, f"out of memory: {len(variants)} blocks go on in two groups")
        self._train_each((variants[:half], variants[half:]), saved or self._saved())

    def _saved(self) -> dict[str, Tensor]:
        return self._checkpoints.load(read_state) or {}

    def _save(self, students: Sequence[Student], step: int) -> None:
        self._begun_from.clear()
        self._checkpoints.save(dump_state(pack(students, step)))

    def _train_together(self, variants: Sequence[Variant], saved: dict[str, Tensor]) -> None:
        """`saved` is emptied when a later state is: until then, halves go on from it."""
        self._begun_from = saved
        variances = self._variances()
        students = [
            enrol(
                self._cut,
                v.n,
                v.option,
                v.key,
                keys.seed_of(v.key, self._recipe.seed),
                self._recipe,
                self._device,
            )
            for v in variants
        ]
        step = unpack(students, saved)
        *points, last = self._recipe.quality_steps(len(self._dataset.split("training")))
        for point in points:
            step = self._advance(students, variances, step, point)
            # An earlier attempt may have gone past this point, or have stopped just before it was measured.
            if step == point and any(point not in s.curve for s in students if not s.failed):
                self._measure(students, variances, point)
        self._advance(students, variances, step, last)
        self._finish(students, variances)

    def _advance(self, students: Sequence[Student], variances: Sequence[Tensor], start: int, end: int) -> int:
        """Trains from step `start` to `end`, and returns where the students are: no earlier than they were."""
        step = start
        per_epoch = self._recipe.steps_per_epoch(len(self._dataset.split("training")))
        with self._passes(batches.training(self._dataset, self._recipe, start, end)) as maps_of_batches:
            for step in distill(
                students,
                maps_of_batches,
                variances,
                self._recipe,
                steps=self._steps,
                first_step=start,
                pool=self._pool,
            ):
                self._say(
                    (1 - _FINISHING) * step / self._steps * len(students),
                    f"distilling {len(students)} blocks, epoch {step / per_epoch:.1f} of {self._recipe.epochs:g}",
                )
                if self._checkpoints.due():
                    self._save(students, step)
        return step

    def _measure(
        self,
        students: Sequence[Student],
        variances: Sequence[Tensor],
        step: int,
        replaced_in: Cut | None = None,
    ) -> HeldOut:
        """The quality after `step` steps, into every student's curve. Training is not touched by it: it does not
        read the normalisation statistics that are estimated here."""
        for student in students:
            student.inspect(step)
        alive = [student for student in students if not student.failed]
        with self._passes(batches.calibration(self._dataset, self._recipe)) as maps_of_batches:
            recalibrate_all(alive, maps_of_batches, self._pool)
        held_out = HeldOut(alive, replaced_in)
        with self._passes(batches.held_out(self._dataset, self._recipe)) as maps_of_batches:
            for maps in maps_of_batches:
                held_out.add(maps, self._pool)
                self._report.check()
        for student in alive:
            if math.isfinite(nsr := held_out.nsr(student, variances[student.n])):
                student.curve[step] = nsr
            student.module.train(student.trained)
        return held_out

    def _finish(self, students: Sequence[Student], variances: Sequence[Tensor]) -> None:
        """Measures all students that made it, then stores each."""
        self._say((1 - _FINISHING) * len(students), f"measuring {len(students)} blocks")
        replaced_in = self._cut if self._recipe.replace_one_quality else None
        held_out = self._measure(students, variances, self._steps, replaced_in)
        for count, student in enumerate(students, 1):
            scores = {} if student.failed else held_out.scores(student, variances[student.n])
            if not all(map(math.isfinite, scores.values())):
                student.failed = "the quality on held-out images is not finite"
            student.module.eval().to("cpu")
            self._shelf.put_block(student, cut=self._cut, scores=scores, epochs=self._recipe.epochs)
            done = (1 - _FINISHING) * len(students) + _FINISHING * count
            self._say(done, f"storing block {count} of {len(students)}")
        self._done += len(students)

    def _variances(self) -> list[Tensor]:
        """(C,) variances of every block's target over the training part, remembered for all groups that start once one
        has measured them. Those that start together measure the same, and the first to be done is believed."""
        key = keys.statistics_key(
            source=self._source, blocks=self._cut.names, batch_size=self._recipe.batch_size
        )
        if key not in self._report.recall([key]):
            moments = [ChannelMoments() for _ in self._cut.names]
            with self._passes(batches.statistics(self._dataset, self._recipe)) as maps_of_batches:
                for maps in maps_of_batches:
                    add_all(moments, maps[1:])
                    self._say(0.0, "measuring the reference")
            self._report.remember(key, {"variances": [moment.variance.tolist() for moment in moments]})
        stored = self._report.recall([key])[key]["variances"]
        return [guarded(torch.tensor(values, dtype=torch.float64)).to(self._device) for values in stored]

    @contextmanager
    def _passes(self, images: Iterator[Tensor]) -> Iterator[Iterator[list[Tensor]]]:
        with passes(self._cut, images, self._device, self._pool) as maps_of_batches:
            yield map(self._counted, maps_of_batches)

    def _counted(self, maps: list[Tensor]) -> list[Tensor]:
        self._report.cost(reference_passes=1)
        return maps

    def _say(self, done: float, message: str) -> None:
        self._report.progress(self._done + done, self._total, message)
