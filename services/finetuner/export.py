"""ONNX export that is believed only after ONNX Runtime gave PyTorch's answers on real images.

Training images (and, where those are few, quality images) choose the exporter: neither the validation nor the test part
is looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from donna.data import Dataset, Part
from donna.errors import FailedPrecondition, InvalidArgument
from donna.graphs import fix_batch
from donna.nets.export import EXPORTERS, to_onnx
from donna.nets.memory import ran_out
from donna.nets.parity import InRuntime
from services.finetuner.agreement import Agreement, problem
from services.finetuner.evaluate import all_logits
from services.finetuner.request import ExportSettings

MIN_COMPARED = 256
"""Fewer images than this say too little of a model's agreement."""
Model = Callable[[Tensor], Tensor]
"""From (B, C, H, W) normalised images to (B, K) logits."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A model, ready to run on normalised images, and how it compared with PyTorch when it was made."""

    onnx: bytes
    run: Model
    agreement: Agreement


class Normalizing(nn.Module):
    """(x - mean) / std for each channel, then the network: takes pixels in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Pixels to logits."""
        return self.network((x - self.mean) / self.std)


def export(network: nn.Module, dataset: Dataset, settings: ExportSettings) -> Exported:
    """Exports a network that is on the CPU, and compares it on `samples(dataset)`.

    The next exporter is tried when one fails or its graph is wrong (see agreement.py). Raises FailedPrecondition, with
    what each one did, when none is right, and what the allocator raises when memory runs out.
    """
    exportable = network
    if settings.include_normalization:
        exportable = Normalizing(network, dataset.normalisation.mean, dataset.normalisation.std)
    problems = []
    for exporter in EXPORTERS:
        try:
            model = to_onnx(exportable, dataset.input_shape, opset=settings.opset, exporter=exporter)
            if settings.batch_size:
                model = _with_batch(model, settings.batch_size)
            run = runnable(model, dataset, settings)
            expected, found = all_logits(network, samples(dataset), [run])
        except Exception as error:  # an exporter may fail, or write what ONNX Runtime refuses
            if ran_out(error):
                raise
            problems.append(f"{exporter}: {type(error).__name__}")
            continue
        if said := problem(expected, found):
            problems.append(f"{exporter}: {said}")
            continue
        return Exported(onnx=model, run=run, agreement=Agreement.of(expected, found))
    raise FailedPrecondition(
        f"no exporter gives the network's own answers ({'; '.join(problems)})", reason="EXPORT_FAILED"
    )


def samples(dataset: Dataset) -> Part:
    """At least 256 images, if there are so many: of the training part in a seeded order, then of the quality part."""
    training = dataset.split("training")
    rows = training.rows[np.concatenate(training.positions(MIN_COMPARED, seed=0))][:MIN_COMPARED]
    if len(rows) < MIN_COMPARED:
        try:
            rows = np.concatenate([rows, dataset.split("quality").rows])[:MIN_COMPARED]
        except InvalidArgument:  # there is no quality part
            pass
    return Part(dataset, "training", rows)


def runnable(model: bytes, dataset: Dataset, settings: ExportSettings) -> Model:
    """The model on images as this dataset normalises them."""
    session = InRuntime(model)
    return lambda images: torch.from_numpy(session(inputs(images, dataset, settings)))


def inputs(images_BCHW: Tensor, dataset: Dataset, settings: ExportSettings) -> Tensor:
    """What the exported model takes for these normalised images: themselves, or pixels in [0, 1]."""
    if not settings.include_normalization:
        return images_BCHW
    normalisation = dataset.normalisation
    mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (normalisation.mean, normalisation.std))
    return images_BCHW * std + mean


def _with_batch(model: bytes, batch_size: int) -> bytes:
    fixed = fix_batch(onnx.load_model_from_string(model), batch_size)
    return fixed.SerializeToString(deterministic=True)
