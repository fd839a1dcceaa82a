"""The canary: one small network that is measured again and again. When its latency moves, it was the device
that changed, not the candidates."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from onnx import StringStringEntryProto, TensorProto, helper

from donna import durable
from donna.graphs import fill
from donna.graphs.weightless import KEY
from donna.onnx_format import IR_VERSION
from services.profiler.measurement import MeasurementSettings

CHANNELS, SIZE, LAYERS = 32, 16, 6
SETTINGS = MeasurementSettings(min_time_ms=50, max_repeats=0)
FIRST_MS = 500.0
"""Of the first reading, to which all later ones are compared."""

MOST_READINGS = 1000
"""Of which the latest are kept: whoever may measure can name any set of processors."""


@cache
def canary_model() -> bytes:
    """LAYERS 3x3 convolutions of CHANNELS channels with ReLU; the same bytes in every agent."""
    nodes, weights, flow = [], [], "x"
    for layer in range(LAYERS):
        weight = TensorProto(name=f"w{layer}", dims=[CHANNELS, CHANNELS, 3, 3], data_type=TensorProto.FLOAT)
        weight.metadata_props.append(StringStringEntryProto(key=KEY, value=f"{layer}:-0.1:0.1"))
        weights.append(weight)
        out = "y" if layer == LAYERS - 1 else f"r{layer}"
        nodes.append(helper.make_node("Conv", [flow, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [out]))
        flow = out
    shape: list[str | int | None] = ["batch", CHANNELS, SIZE, SIZE]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    graph = helper.make_graph(nodes, "canary", [x], [y], weights)
    opset = [helper.make_opsetid("", 18)]
    return fill(helper.make_model(graph, ir_version=IR_VERSION, opset_imports=opset)).SerializeToString()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The canary's first and latest median on one device as it is fingerprinted; `at` is when the latest was
    taken, in seconds since the epoch."""

    first_ms: float
    latest_ms: float
    at: float

    @property
    def drift(self) -> float:
        """Latest over first: 1.0 means nothing has changed."""
        return self.latest_ms / self.first_ms


def pace_key(fingerprint_sha256: str, provider: str, affinity: Sequence[int] = ()) -> str:
    """Under which readings are kept: what is measured elsewhere on the device has a pace of its own."""
    return "/".join([fingerprint_sha256, provider, *(["cpus", *map(str, affinity)] if affinity else [])])


class CanaryLog:
    """Readings by `pace_key`, kept in a JSON file; and when the canary is to be measured by itself."""

    def __init__(self, path: Path, *, every: int) -> None:
        self._path = path
        self._every = every
        self._since: dict[str, int] = {}
        self._lock = threading.Lock()

    def due(self, key: str) -> bool:
        """Counts one measurement; True before the first one, and after `every` without a reading."""
        with self._lock:
            count = self._since.get(key, self._every)
            self._since[key] = count + 1
            return bool(self._every) and count >= self._every

    def record(self, key: str, median_ms: float) -> Reading:
        """Adds a reading."""
        with self._lock:
            self._since[key] = 1
            readings = self._read()
            first_ms = readings.get(key, {}).get("first_ms")
            reading = Reading(first_ms=first_ms or median_ms, latest_ms=median_ms, at=time.time())
            readings[key] = asdict(reading)
            kept = dict(sorted(readings.items(), key=lambda each: each[1]["at"])[-MOST_READINGS:])
            self._since = {each: count for each, count in self._since.items() if each in kept}
            durable.write(self._path, json.dumps(kept).encode())
        return reading

    def latest(self, key: str) -> Reading | None:
        """The reading now; None before the first."""
        with self._lock:
            found = self._read().get(key)
        return Reading(**found) if found else None

    def _read(self) -> dict[str, dict[str, float]]:
        try:
            return json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
