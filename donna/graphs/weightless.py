"""Fragments that travel without their weights.

Latency does not depend on what the weights are, only on their shapes (as long as they stay in a sane range:
denormals, infinities or negative variances would). So a large initialiser is sent as shape, type, seed and
range, and every machine fills it with the same bits.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from google.protobuf.message import DecodeError
from onnx import ModelProto, StringStringEntryProto, TensorProto, helper, numpy_helper

from donna.errors import InvalidArgument
from donna.graphs.walk import graphs

KEY = "donna.fill"
MIN_ELEMENTS = 16
"""Smaller initialisers keep their values: they are shapes, scales and thresholds, cheap to send."""

BLOCK = 1 << 20
"""Values that are made at once; even, since two of them come from each raw number."""

_DTYPES: dict[int, type[np.generic]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT8: np.int8,
    TensorProto.UINT8: np.uint8,
}


def strip(model: ModelProto | bytes, *, seed: int = 0) -> ModelProto:
    """`model` without the data of its large initialisers; `fill` makes a network of equal cost from it.

    Each one keeps name, shape and type, and gets `donna.fill` = `<seed>:<low>:<high>`, the range being the
    mean -+ sqrt(3) standard deviations of the real values, cut to their extremes: a uniform filling then has
    the spread of the real one, and what was positive (a variance) stays positive. What no runtime reads, such as
    the stack traces that exporters write into nodes, is left out too. Raises InvalidArgument for bytes that are no
    ONNX model.
    """
    stripped = ModelProto()
    if isinstance(model, ModelProto):
        stripped.CopyFrom(model)
    else:
        try:
            stripped.ParseFromString(model)
        except DecodeError as error:
            raise InvalidArgument.of("fragment", f"is no ONNX model ({len(model)} bytes)") from error
    stripped.ClearField("doc_string")
    stripped.ClearField("metadata_props")
    for graph in graphs(stripped.graph):
        for field in ("doc_string", "metadata_props", "value_info"):
            graph.ClearField(field)
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
        for tensor in graph.initializer:
            values = _fillable(tensor)
            if values is None:
                continue
            low, high = _range(values)
            bare = TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
            own_seed = int.from_bytes(hashlib.sha256(f"{seed}/{tensor.name}".encode()).digest()[:4], "big")
            bare.metadata_props.append(StringStringEntryProto(key=KEY, value=f"{own_seed}:{low!r}:{high!r}"))
            tensor.CopyFrom(bare)
    return stripped


def is_weightless(model: ModelProto) -> bool:
    """Whether any initialiser waits to be filled."""
    return any(_recipe(tensor) for graph in graphs(model.graph) for tensor in graph.initializer)


def fill(model: ModelProto) -> ModelProto:
    """The inverse in cost, not in value, of `strip`: every initialiser has data, the same bits everywhere.

    Raises InvalidArgument when a filling recipe cannot be read.
    """
    filled = ModelProto()
    filled.CopyFrom(model)
    for graph in graphs(filled.graph):
        for tensor in graph.initializer:
            recipe = _recipe(tensor)
            if recipe:
                values = _uniform(tensor, *_read(recipe, tensor))
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return filled


def filled_bytes(model: ModelProto) -> int:
    """How many bytes `fill` would make: a few hundred bytes can ask for gigabytes."""
    waiting = (t for graph in graphs(model.graph) for t in graph.initializer if _recipe(t))
    return sum(math.prod(t.dims) * np.dtype(_DTYPES.get(t.data_type, np.float64)).itemsize for t in waiting)


def outline(model: ModelProto) -> ModelProto:
    """`model` with an input in place of every initialiser that waits to be filled: of the same structure, and no
    larger. Raises InvalidArgument when a filling recipe cannot be read."""
    drawn = ModelProto()
    drawn.CopyFrom(model)
    known = {value.name for value in drawn.graph.input}
    for graph in graphs(drawn.graph):
        kept = []
        for tensor in graph.initializer:
            if not (recipe := _recipe(tensor)):
                kept.append(tensor)
                continue
            _read(recipe, tensor)
            if tensor.name not in known:
                known.add(tensor.name)
                value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                drawn.graph.input.append(value)
        del graph.initializer[:]
        graph.initializer.extend(kept)
    return drawn


def _fillable(tensor: TensorProto) -> np.ndarray | None:
    if tensor.data_type not in _DTYPES or int(np.prod(tensor.dims)) < MIN_ELEMENTS:
        return None
    values = numpy_helper.to_array(tensor)
    return values if np.isfinite(values).all() else None


def _range(values: np.ndarray) -> tuple[float, float]:
    mean, reach = float(values.mean(dtype=np.float64)), 3**0.5 * float(values.std(dtype=np.float64))
    low, high = max(mean - reach, float(values.min())), min(mean + reach, float(values.max()))
    return float(np.float32(low)), float(np.float32(high))


def _recipe(tensor: TensorProto) -> str:
    return next((entry.value for entry in tensor.metadata_props if entry.key == KEY), "")


def _read(recipe: str, tensor: TensorProto) -> tuple[int, float, float]:
    name = tensor.name[:80]
    if tensor.data_type not in _DTYPES:
        raise InvalidArgument.of("fragment", f"cannot fill {name!r} of type {tensor.data_type}")
    seed, _, span = recipe.partition(":")
    low, _, high = span.partition(":")
    try:
        found = int(seed), float(low), float(high)
    except ValueError as error:
        raise InvalidArgument.of("fragment", f"cannot fill {name!r} by {recipe[:80]!r}") from error
    if found[0] < 0 or not np.isfinite(found[1:]).all() or found[1] > found[2]:
        raise InvalidArgument.of("fragment", f"cannot fill {name!r} by {recipe[:80]!r}")
    return found


def _uniform(tensor: TensorProto, seed: int, low: float, high: float) -> np.ndarray:
    """Uniform in [low, high). Only PCG64's raw bits are used: numpy promises those for ever, and not the
    streams of its distributions. 24 bits fill a float32 exactly, so there is nothing to round differently.

    In blocks: whole, the numbers on the way would take several times the memory of the values."""
    count = math.prod(tensor.dims)
    values = np.empty(count, _DTYPES[tensor.data_type])
    bits = np.random.PCG64(seed)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        raw = bits.random_raw((size + 1) // 2).view(np.uint32)[:size]
        unit = (raw >> np.uint32(8)).astype(np.float64) / 2.0**24
        values[start : start + size] = low + unit * (high - low)
    return values.reshape(tuple(tensor.dims))
