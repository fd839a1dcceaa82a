"""ONNX export that is believed only after ONNX Runtime gave PyTorch's answers on real images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from donna.data import Part
from donna.errors import FailedPrecondition
from donna.nets.export import EXPORTERS, to_onnx
from donna.nets.parity import RELATIVE_TOLERANCE
from services.finetuner.evaluate import BATCH_SIZE, logits, measure
from services.finetuner.request import ExportSettings

MIN_COMPARED = 256
"""Fewer images than this say too little of a model's agreement."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The model and how it compares with PyTorch over `num_samples` real images; `accuracy` is its own, on the part
    asked for."""

    onnx: bytes
    top1_agreement: float
    max_abs_diff: float
    num_samples: int
    accuracy: float


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


def export(network: nn.Module, part: Part, settings: ExportSettings, metadata: Mapping[str, str]) -> Exported:
    """Exports the network and compares it on all images of `part`, and on training images where those are fewer
    than 256.

    The next exporter is tried when one fails or its graph is wrong (another top-1, or logits off by more
    than 0.1 % of the largest). Raises FailedPrecondition, with what each one did, when none is right.
    """
    network = network.cpu()
    expected = logits(network, enough(part))
    normalisation = part.dataset.normalisation
    exportable = network
    if settings.include_normalization:
        exportable = Normalizing(network, normalisation.mean, normalisation.std)
    problems = []
    for exporter in EXPORTERS:
        try:
            model = to_onnx(
                exportable,
                part.dataset.input_shape,
                opset=settings.opset,
                metadata=metadata,
                exporters=[exporter],
            )
            exported = compare(model, expected, part, settings)
        except Exception as error:  # an exporter may fail, or write what ONNX Runtime refuses
            problems.append(f"{exporter}: {type(error).__name__}")
            continue
        scale = max(1.0, float(expected.abs().max()))
        if exported.max_abs_diff <= RELATIVE_TOLERANCE * scale:
            return exported
        problems.append(f"{exporter}: logits differ by {exported.max_abs_diff:g}")
    raise FailedPrecondition(
        f"no exporter gives the network's own answers ({'; '.join(problems)})", reason="EXPORT_FAILED"
    )


def compare(model: bytes, expected_SK: Tensor, part: Part, settings: ExportSettings) -> Exported:
    """Runs the model, as it will be delivered, over `enough(part)` and compares it with PyTorch's logits of that."""
    delivered = fixed_batch(model, settings.batch_size) if settings.batch_size else model
    found = torch.from_numpy(onnx_logits(delivered, enough(part), settings))
    return Exported(
        onnx=delivered,
        top1_agreement=float((found.argmax(dim=1) == expected_SK.argmax(dim=1)).double().mean()),
        max_abs_diff=float((found - expected_SK).abs().max()),
        num_samples=len(found),
        accuracy=measure(found[: len(part)], torch.from_numpy(part.labels)).accuracy,
    )


def enough(part: Part) -> Part:
    """The part itself, or, where it has fewer than 256 images, with training images behind its own."""
    if len(part) >= MIN_COMPARED:
        return part
    more = part.dataset.split("training").rows[: MIN_COMPARED - len(part)]
    return Part(part.dataset, part.name, np.concatenate([part.rows, more]))


def onnx_logits(model: bytes, part: Part, settings: ExportSettings) -> np.ndarray:
    """(S, K) logits by ONNX Runtime on one CPU thread, in the order of the part."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    size = settings.batch_size or BATCH_SIZE
    found = []
    for images, _ in part.batches(size):
        x = inputs(images, part, settings).numpy()
        missing = settings.batch_size and size - len(x)
        whole = np.concatenate([x, np.repeat(x[:1], missing, axis=0)]) if missing else x
        found.append(np.asarray(session.run(["y"], {"x": whole})[0])[: len(x)])
    return np.concatenate(found)


def inputs(images_BCHW: Tensor, part: Part, settings: ExportSettings) -> Tensor:
    """What the exported model takes for these normalised images: themselves, or pixels in [0, 1]."""
    if not settings.include_normalization:
        return images_BCHW
    normalisation = part.dataset.normalisation
    mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (normalisation.mean, normalisation.std))
    return images_BCHW * std + mean


def fixed_batch(model: bytes, batch_size: int) -> bytes:
    """The same model with its batch dimension `N` fixed."""
    proto = onnx.load_model_from_string(model)
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == "N":
                dim.dim_value = batch_size
    return proto.SerializeToString(deterministic=True)
