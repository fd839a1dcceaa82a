"""Modules to single-file ONNX: IR version 10, opset 18 to 20, input `x`, output `y`, dynamic batch `N`.

Two exporters of torch do it. The TorchScript one takes about 20 ms for a block where the newer one takes over
a second, and folds batch normalisation into convolutions; a library has hundreds of blocks, so it goes first.
Either can be wrong: callers compare the result with the module (`donna.nets.parity`).
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from threading import Lock
from typing import Any

import onnx
import torch
from torch import nn

from donna.errors import FailedPrecondition, InvalidArgument
from donna.nets.memory import ran_out
from donna.onnx_format import IR_VERSION, OPSETS

EXPORTERS = ("torchscript", "dynamo")
_ONE_AT_A_TIME = Lock()


def to_onnx(
    module: nn.Module,
    input_shape: Sequence[int],
    *,
    opset: int = 18,
    exporter: str = "torchscript",
) -> bytes:
    """The ONNX bytes of `module` in eval mode for (N, *input_shape) float32 inputs.

    `exporter` is one of EXPORTERS. Raises InvalidArgument for another opset, FailedPrecondition when the exporter
    cannot express the module, and what the allocator raises when memory runs out. The exporters keep globals: one
    thread is let in at a time.
    """
    if opset not in OPSETS:
        raise InvalidArgument.of("opset", f"must be one of {OPSETS}, got {opset}")
    # Two images: with one, an exporter may take the batch axis for a constant.
    parameter = next(module.parameters(), None)
    x = torch.zeros((2, *input_shape), device=parameter.device if parameter is not None else None)
    was_training = module.training
    module.eval()
    try:
        with _ONE_AT_A_TIME:
            model = _EXPORT[exporter](module, x, opset)
    except Exception as error:  # the exporters raise anything
        if ran_out(error):
            raise
        said = f"{exporter}: {type(error).__name__}"
        raise FailedPrecondition(f"the network cannot be exported to ONNX ({said})") from error
    finally:
        module.train(was_training)
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version, model.doc_string = "donna", "", ""
    del model.metadata_props[:]
    return model.SerializeToString(deterministic=True)


def _torchscript(module: nn.Module, x: torch.Tensor, opset: int) -> onnx.ModelProto:
    written: Any = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (x,),
            written,
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "N"}, "y": {0: "N"}},
        )
    return onnx.load_model_from_string(written.getvalue())


def _dynamo(module: nn.Module, x: torch.Tensor, opset: int) -> onnx.ModelProto:
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(
                module,
                (x,),
                dynamo=True,
                opset_version=opset,
                input_names=["x"],
                output_names=["y"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                verbose=False,
            )
    finally:
        log.setLevel(level)
    if program is None:
        raise FailedPrecondition("the exporter gave nothing")
    return program.model_proto


_EXPORT = {"torchscript": _torchscript, "dynamo": _dynamo}
