"""Does an exported network compute what the module computes? Asked of ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from donna.errors import FailedPrecondition
from donna.nets.export import EXPORTERS, to_onnx
from donna.nets.memory import ran_out

RELATIVE_TOLERANCE = 1e-3


class InRuntime:
    """An ONNX model in ONNX Runtime, on one CPU thread."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        batch = self._session.get_inputs()[0].shape[0]
        self._batch_size = batch if isinstance(batch, int) else 0

    def __call__(self, x: Tensor) -> np.ndarray:
        """The output `y` for input `x` (B, ...). A model of a fixed batch runs as often as it takes, the last time
        with the first image repeated."""
        whole = x.detach().cpu().numpy()
        size = self._batch_size or len(whole)
        parts = [whole[start : start + size] for start in range(0, len(whole), size)]
        found = [
            self._run(np.concatenate([p, np.repeat(p[:1], size - len(p), axis=0)]))[: len(p)] for p in parts
        ]
        return np.concatenate(found)

    def _run(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._session.run(["y"], {"x": x})[0])


def run_onnx(model: bytes, x: Tensor) -> np.ndarray:
    """The output `y` of an ONNX model for input `x` (B, ...)."""
    return InRuntime(model)(x)


def max_abs_diff(model: bytes, module: nn.Module, x: Tensor) -> float:
    """The largest difference between ONNX Runtime and the module in eval mode over inputs `x`."""
    was_training = module.training
    module.eval()
    with torch.no_grad():
        expected = module(x).cpu().numpy()
    module.train(was_training)
    found = run_onnx(model, x)
    return float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")


def checked_onnx(module: nn.Module, x: Tensor) -> tuple[bytes, float]:
    """(ONNX bytes, largest difference over inputs `x`), by the first exporter whose result is right.

    Right is within 0.1 % of the largest output. Raises FailedPrecondition, with differences, if none is, and what the
    allocator raises when memory runs out: that says nothing about the network.
    """
    with torch.no_grad():
        scale = max(1.0, float(module.eval()(x).abs().max()))
    differences = []
    for exporter in EXPORTERS:
        try:
            model = to_onnx(module, x.shape[1:], exporter=exporter)
            difference = max_abs_diff(model, module, x)
        except Exception as error:  # an exporter may fail, or write what ONNX Runtime refuses
            if ran_out(error):
                raise
            differences.append(f"{exporter}: {type(error).__name__}")
            continue
        if difference <= RELATIVE_TOLERANCE * scale:
            return model, difference
        differences.append(f"{exporter}: {difference:g}")
    raise FailedPrecondition(f"no exporter gives the network's own outputs ({'; '.join(differences)})")
