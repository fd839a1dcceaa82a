"""INT8 by static post-training quantisation: ONNX Runtime's quantiser, calibrated on training images.

Weights are signed and per channel, activations unsigned with the range seen in calibration (min-max), in
QDQ form, which every runtime with integer kernels reads. Source of the scheme: Jacob et al., Quantization and
Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR 2018.
"""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from torch import nn

from donna.artifacts import DISK_FULL_RETRY_S
from donna.data import Dataset, Part
from donna.errors import FailedPrecondition, ResourceExhausted
from donna.nets.memory import ran_out
from donna.onnx_format import IR_VERSION
from services.finetuner.agreement import Agreement
from services.finetuner.evaluate import all_logits
from services.finetuner.export import Exported, inputs, runnable, samples
from services.finetuner.request import ExportSettings

CALIBRATION_IMAGES = 256
SCHEME = "int8 static, per channel, min-max"
_BATCH_SIZE = 32
_FULL = (errno.ENOSPC, errno.EDQUOT)


def quantize(network: nn.Module, model: bytes, dataset: Dataset, settings: ExportSettings) -> Exported:
    """The INT8 model of a float model that was exported with `settings`, compared with the network that it is of on
    the images that the float model was compared on.

    Raises FailedPrecondition when the quantiser cannot express the network, or nothing runs what it wrote;
    ResourceExhausted when its temporary files do not fit on the disk, and what the allocator raises when memory runs
    out: neither says anything about the network.
    """
    try:
        quantised = _finish(_quantized(model, Calibration(calibration(dataset.split("training"), settings))))
        run = runnable(quantised, dataset, settings)
        agreement = Agreement.of(*all_logits(network, samples(dataset), [run]))
    except Exception as error:  # the quantiser raises anything
        if ran_out(error):
            raise
        if isinstance(error, OSError) and error.errno in _FULL:
            said = f"no space for the quantiser's files in {tempfile.gettempdir()}: {error.strerror}"
            raise ResourceExhausted(said, reason="DISK_FULL", retry_after_s=DISK_FULL_RETRY_S) from error
        raise FailedPrecondition(
            f"the network cannot be quantised to INT8 ({type(error).__name__})", reason="QUANTISATION_FAILED"
        ) from error
    return Exported(onnx=quantised, run=run, agreement=agreement)


class Calibration:
    """ONNX Runtime's reader of calibration inputs: one dictionary after another, then None."""

    def __init__(self, batches: Iterable[np.ndarray]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next inputs."""
        batch = next(self._batches, None)
        return None if batch is None else {"x": batch}


def calibration(training: Part, settings: ExportSettings) -> Iterable[np.ndarray]:
    """Up to 256 training images in a seeded order, without augmentation, as the model takes them."""
    size = settings.batch_size or _BATCH_SIZE
    for i, (images, _) in enumerate(training.batches(size, seed=0, drop_last=True)):
        if i * size >= CALIBRATION_IMAGES:
            return
        yield inputs(images, training.dataset, settings).numpy()


def _quantized(model: bytes, reader: Calibration) -> bytes:
    with tempfile.TemporaryDirectory(prefix="donna-int8-") as folder:
        source, prepared, target = (Path(folder, f"{name}.onnx") for name in ("float", "prepared", "int8"))
        source.write_bytes(model)
        _quantize(source, prepared, target, reader)
        return target.read_bytes()


def _quantize(source: Path, prepared: Path, target: Path, reader: Calibration) -> None:
    from onnxruntime import quantization as ort
    from onnxruntime.quantization.shape_inference import quant_pre_process

    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        ort.quantize_static(
            str(prepared),
            str(target),
            reader,
            quant_format=ort.QuantFormat.QDQ,
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            calibrate_method=ort.CalibrationMethod.MinMax,
        )
    finally:
        log.setLevel(level)


def _finish(quantised: bytes) -> bytes:
    """One file in the format of all our models."""
    proto = onnx.load_model_from_string(quantised)
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version, proto.doc_string = "donna", "", ""
    used = {node.domain for node in proto.graph.node}
    imports = [entry for entry in proto.opset_import if entry.domain in used]
    del proto.opset_import[:], proto.metadata_props[:]
    proto.opset_import.extend(imports)
    return proto.SerializeToString(deterministic=True)
