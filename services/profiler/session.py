"""One ONNX Runtime session, ready to be timed. Lives in the measuring child: numpy and onnxruntime only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort

CPU = "CPUExecutionProvider"
_ON_DEVICE = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "ROCMExecutionProvider": "cuda",
}
_LEVELS = {
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class Unmeasurable(Exception):
    """The model cannot be measured with these settings; the message says why."""


def open_session(model: bytes, settings: dict[str, Any], profile_prefix: str = "") -> ort.InferenceSession:
    """A session on `settings["provider"]`, with the CPU only for nodes that it does not take.

    Raises Unmeasurable when the runtime puts the provider aside, and whatever the runtime raises.
    """
    provider = settings["provider"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    options.inter_op_num_threads = 1
    options.graph_optimization_level = _LEVELS[settings["graph_optimization"]]
    options.log_severity_level = 3
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if profile_prefix:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    providers = [(provider, dict(settings["provider_options"]))]
    if provider != CPU:
        providers.append((CPU, {}))
    session = ort.InferenceSession(model, options, providers=providers)
    session.disable_fallback()
    if session.get_providers()[0] != provider:
        raise Unmeasurable(
            f"{provider} is not usable on this device; the runtime offers {session.get_providers()}"
        )
    return session


def inputs(session: ort.InferenceSession, batch_size: int) -> dict[str, np.ndarray]:
    """An array for every input: a fixed ramp in [-1, 1) for floats, zeros and ones for the rest.

    The first axis is the batch when it is dynamic. Raises Unmeasurable for other dynamic axes, for a fixed
    batch of another size, and for inputs that are no tensors of numbers.
    """
    return {value.name: _input(value, batch_size) for value in session.get_inputs()}


def _input(value: Any, batch_size: int) -> np.ndarray:
    dtype = _DTYPES.get(value.type)
    if dtype is None:
        raise Unmeasurable(f"input {value.name!r} is {value.type}, which is not measured")
    shape = list(value.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = batch_size
    elif shape and batch_size not in (1, shape[0]):
        raise Unmeasurable(f"input {value.name!r} has the fixed batch {shape[0]}, batch_size is {batch_size}")
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise Unmeasurable(
            f"input {value.name!r} has the dynamic shape {shape}; only the batch may be dynamic"
        )
    ramp = (np.arange(int(np.prod(shape))) * 0.6180339887498949) % 1.0
    values = ramp * 2 - 1 if np.issubdtype(dtype, np.floating) else ramp > 0.5
    return values.astype(dtype).reshape(shape)


def runner(
    session: ort.InferenceSession, feeds: dict[str, np.ndarray], provider: str
) -> Callable[[], object]:
    """What is timed. On an accelerator the inputs are copied before and the outputs stay there: the time is
    the network's, not the bus's."""
    device = _ON_DEVICE.get(provider)
    if device is None:
        names = [value.name for value in session.get_outputs()]
        return lambda: session.run(names, feeds)
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, device, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, device)
    binding.synchronize_inputs()

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def nodes_by_provider(session: ort.InferenceSession) -> dict[str, int]:
    """How many nodes of the optimised graph each execution provider took; empty if the runtime cannot tell."""
    try:
        parts = session.get_provider_graph_assignment_info()
    except (AttributeError, RuntimeError):
        return {}
    counts: dict[str, int] = {}
    for part in parts:
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    return counts
