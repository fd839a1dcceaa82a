"""Latency layer by layer, from the runtime's own profile. In the child: a session of its own, since profiling
slows every run; the network's latency never comes from here."""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import Any

import numpy as np

from services.profiler import session as runtime

RUNS = 30


def profile(model: bytes, settings: dict[str, Any], *, left_ms: float) -> list[dict[str, Any]]:
    """The fields of `measurement.Layer` for every node of the optimised graph, in the order run.

    After `left_ms` no run begins: fewer runs tell less, and none tells of no layer.
    """
    until = time.monotonic() + left_ms / 1000
    with tempfile.TemporaryDirectory(prefix="donna-layers-") as folder:
        session = runtime.open_session(model, settings, os.path.join(folder, "profile"))
        run = runtime.runner(session, runtime.inputs(session, settings["batch_size"]), settings["provider"])
        for _ in range(settings["warmup_runs"] + RUNS):
            if time.monotonic() > until:
                break
            run()
        with open(session.end_profiling(), encoding="utf-8") as written:
            return medians(json.load(written), skip=settings["warmup_runs"])


def medians(events: list[dict[str, Any]], *, skip: int) -> list[dict[str, Any]]:
    """Median duration of every node over the runs after the first `skip`; events as onnxruntime writes them:
    `cat` "Node", `name` "<node>_kernel_time", `dur` in microseconds."""
    durations: dict[str, list[float]] = {}
    told: dict[str, dict[str, str]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") != "Node" or not name.endswith("_kernel_time"):
            continue
        durations.setdefault(name, []).append(float(event["dur"]) / 1000)
        told[name] = event.get("args", {})
    return [
        {
            "name": name.removesuffix("_kernel_time"),
            "op_type": told[name].get("op_name", ""),
            "provider": told[name].get("provider", ""),
            "median_ms": float(np.median(taken[skip:] or taken)),
        }
        for name, taken in durations.items()
    ]
