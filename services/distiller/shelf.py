"""Stores what was made: a block's result, and stem and head, each remembered under its content key."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition
from donna.jobs import Report
from donna.nets.cut import Cut
from donna.nets.weights import dump
from services.distiller import keys
from services.distiller.product import Product, finish
from services.distiller.student import Student

log = logging.getLogger("donna.distiller")


def files(made: Mapping[str, Any]) -> Iterable[str]:
    """The hashes of the files of a result; a block that failed has none."""
    return (made[part] for part in ("weights", "fragment") if made.get(part))


class Shelf:
    """Writes artifacts, then remembers what refers to them: never the other way round."""

    def __init__(self, artifacts: ArtifactStore, report: Report, job: str) -> None:
        self._artifacts = artifacts
        self._report = report
        self._job = job

    def put_block(self, student: Student, *, cut: Cut, scores: dict[str, float], epochs: float) -> None:
        """A trained block. One that failed is remembered too, with its reason: it would fail again."""
        product = None
        if not student.failed:
            try:
                product = finish(student.module, cut.input_shapes[student.n])
            except FailedPrecondition as error:
                log.warning("%s of block %s: %s", student.option, cut.names[student.n], error, exc_info=True)
                student.failed = error.message
        made: dict[str, Any] = {"made_by": self._job, "failed": student.failed}
        if product is not None:
            made |= self._stored(product)
            made |= {"quality": scores["nsr"], "qualities": {k: v for k, v in scores.items() if k != "nsr"}}
            made["curve"] = sorted(student.curve.items())
        counters = {"blocks_trained": 1.0, "block_epochs": epochs} if student.trained else {}
        self._report.remember(student.key, made, **counters)

    def put_ends(self, cut: Cut, source: str) -> dict[str, Any]:
        """The results of stem and head, and the hash of the reference's weights."""
        ends: dict[str, Any] = {"weights": self._artifacts.put_bytes(dump(cut.model)).sha256}
        for name, module, shape, boundary in (
            ("stem", cut.stem, cut.input_shape, cut.names[0]),
            ("head", cut.head, cut.output_shapes[-1], cut.names[-1]),
        ):
            key = keys.part_key(source=source, part=name, boundary=boundary)
            made = self._report.recall([key]).get(key)
            if made is None or not all(map(self._artifacts.has, files(made))):
                made = self._stored(_end(name, module, shape))
                self._report.remember(key, made)
            ends[name] = made
        return ends

    def _stored(self, product: Product) -> dict[str, Any]:
        weights = self._artifacts.put_bytes(product.weights)
        fragment = self._artifacts.put_bytes(product.fragment)
        self._report.cost(bytes_written=weights.size_bytes + fragment.size_bytes)
        return {
            "weights": weights.sha256,
            "fragment": fragment.sha256,
            "parameters": product.costs.parameters,
            "macs": product.costs.macs,
            "weight_bytes": product.costs.weight_bytes,
            "activation_bytes": product.costs.activation_bytes,
        }


def _end(name: str, module: nn.Module, input_shape: tuple[int, ...]) -> Product:
    try:
        return finish(module, input_shape)
    except FailedPrecondition as error:
        raise FailedPrecondition(
            f"the {name} of the reference: {error.message}", reason=error.reason
        ) from error
