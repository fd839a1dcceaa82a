"""The quality of trained blocks: normalisation statistics re-estimated, then the NSR on held-out images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from donna.nets.cut import Cut
from donna.nets.normalization import recalibrating
from donna.nets.nsr import EPS, channel_errors
from services.distiller.distill import for_each
from services.distiller.student import Student

Maps = Sequence[Tensor]


def recalibrate_all(
    students: Sequence[Student], maps_of_batches: Iterable[Maps], pool: ThreadPoolExecutor
) -> None:
    """Re-estimates every trained student's normalisation statistics from the same batches, and leaves all in eval
    mode. Blocks that keep the reference's weights keep its statistics too."""
    trained = [student for student in students if student.trained]
    with ExitStack() as stack:
        for student in trained:
            stack.enter_context(recalibrating(student.module))
        for maps in maps_of_batches:
            _without_gradients(trained, pool, partial(_run, maps))
    for student in students:
        student.module.eval()


def _run(maps: Maps, student: Student) -> None:
    student.module(maps[student.n])


class HeldOut:
    """Adds up each student's errors over held-out batches."""

    def __init__(self, students: Sequence[Student], cut: Cut | None = None) -> None:
        """With `cut`, every block is also scored by replacing it alone in the reference."""
        self._students = students
        self._cut = cut
        # Copies: feature maps are caught with hooks on the reference's own blocks, by another thread.
        self._blocks = [copy.deepcopy(block) for block in cut.blocks] if cut is not None else []
        self._errors: dict[int, Tensor] = {}
        self._divergence: dict[int, Tensor] = {}
        self._samples = 0

    def add(self, maps: Maps, pool: ThreadPoolExecutor) -> None:
        """Takes in [Y_0, ..., Y_N] of one batch."""
        size = len(maps[0])
        with torch.no_grad():
            # Copies go into a head, which may begin in place: maps are what students are measured by.
            logits = None if self._cut is None else self._cut.head(maps[-1].clone())

        def measure(student: Student) -> None:
            y_hat = student.run(maps[student.n])
            errors = channel_errors(maps[student.n + 1], y_hat).double() * size
            self._errors[id(student)] = self._errors.get(id(student), 0) + errors
            if self._cut is not None and logits is not None:
                divergence = _divergence(self._cut, self._blocks[student.n + 1 :], y_hat, logits) * size
                self._divergence[id(student)] = self._divergence.get(id(student), 0) + divergence

        _without_gradients(self._students, pool, measure)
        self._samples += size

    def scores(self, student: Student, variance: Tensor) -> dict[str, float]:
        """Everything measured: `nsr`, and with a cut `kl`."""
        scores = {"nsr": self.nsr(student, variance)}
        return scores if self._cut is None else {**scores, "kl": self.divergence(student)}

    def nsr(self, student: Student, variance: Tensor) -> float:
        """The held-out NSR, with the training part's variance per channel."""
        errors = self._errors[id(student)] / self._samples
        return float((errors / variance.double().clamp_min(EPS)).mean())

    def divergence(self, student: Student) -> float:
        """The mean KL divergence from the reference's class probabilities, in nats."""
        return float(self._divergence[id(student)] / self._samples)


def _divergence(cut: Cut, rest: Sequence[nn.Module], y_hat: Tensor, logits: Tensor) -> Tensor:
    """KL(reference || reference with one block replaced), a mean over the batch, float64."""
    y = y_hat
    for block in rest:
        y = block(y)
    return kl_div(
        log_softmax(cut.head(y.clone()).double(), dim=1),
        log_softmax(logits.double(), dim=1),
        reduction="batchmean",
        log_target=True,
    )


def _without_gradients(
    students: Sequence[Student], pool: ThreadPoolExecutor, act: Callable[[Student], object]
) -> None:
    def quietly(student: Student) -> None:
        # Gradient mode belongs to a thread, so each thread of the pool has to switch it off.
        with torch.no_grad():
            act(student)

    for_each(students, pool, quietly)
