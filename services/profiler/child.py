"""One measurement, in a process of its own that ends with it: see nursery.py for how it comes to be."""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from services.profiler import limits
from services.profiler import session as runtime
from services.profiler.failure import UNMEASURABLE, reason_of
from services.profiler.layers import profile
from services.profiler.stopping import StopRule
from services.profiler.timing import measure


def main(model: bytes, canary: bytes, settings: dict[str, Any], writing: int) -> None:
    """Writes the answer as JSON to the descriptor `writing` and ends the process. `canary` b"" means without one."""
    with os.fdopen(writing, "w") as answers:
        json.dump(answer(model, canary, settings), answers)
    # Destructors of a runtime have crashed before; nothing is left to tidy up in a process of one use.
    os._exit(0)


def answer(model: bytes, canary: bytes, settings: dict[str, Any]) -> dict[str, Any]:
    """The measurement, or how it failed."""
    progress = {"loading": True}
    try:
        _bind(settings["affinity"])
        memory = limits.Memory()
        limits.confine(
            memory=memory,
            memory_limit_bytes=settings["memory_limit_bytes"],
            cpu_s=settings["deadline_ms"] / 1000 * settings["threads"] + 5,
            files=settings["per_layer"],
            accelerator=settings["provider"] != runtime.CPU,
        )
        return {"measured": measured(model, canary, settings, memory, progress)}
    except runtime.Unmeasurable as error:
        return {"failed": {"reason": UNMEASURABLE, "message": str(error)}}
    except Exception as error:  # runtimes raise anything
        message = f"{type(error).__name__}: {str(error).strip()[:500]}"
        return {"failed": {"reason": reason_of(error, loading=progress["loading"]), "message": message}}


def _bind(affinity: list[int]) -> None:
    if not affinity or not hasattr(os, "sched_setaffinity"):
        return
    try:
        os.sched_setaffinity(0, affinity)
    except OSError as error:
        raise runtime.Unmeasurable(f"none of the processors {affinity} is usable here") from error


def measured(
    model: bytes,
    canary: bytes,
    settings: dict[str, Any],
    memory: limits.Memory,
    progress: dict[str, bool],
) -> dict[str, Any]:
    """The fields of `measurement.Measured`; `progress["loading"]` turns False once the first run has passed."""
    look = _canary(canary, settings) if canary else None
    idle_bytes = memory.peak_bytes
    start = time.perf_counter_ns()
    session = runtime.open_session(model, settings)
    load_ms = (time.perf_counter_ns() - start) / 1e6
    feeds = runtime.inputs(session, settings["batch_size"])
    run = runtime.runner(session, feeds, settings["provider"])
    progress["loading"] = False
    run()
    gc.collect()
    gc.disable()
    timing = measure(
        run,
        StopRule(**settings["stop_rule"]),
        warmup_runs=settings["warmup_runs"],
        max_repeats=settings["max_repeats"],
        budget_ms=settings["deadline_ms"] * 0.8 - load_ms,
        cool_down=lambda attempt: time.sleep(0.1 * attempt),
        clock_ns=time.perf_counter_ns,
        preemptions=_preemptions,
        canary=look,
    )
    paced = timing.canary_ms.size > 0
    peak = memory.peak_bytes
    # A tenth of the deadline is for reading the profile, and the last run may begin when the time is over.
    spent_ms = (time.perf_counter_ns() - start) / 1e6
    left_ms = settings["deadline_ms"] * 0.9 - spent_ms - float(timing.samples_ms.max())
    layers: list[dict[str, Any]] = []
    if settings["per_layer"] and left_ms > load_ms:
        layers = profile(model, settings, left_ms=left_ms)
    return {
        "samples_ms": [round(sample, 6) for sample in timing.samples_ms.tolist()],
        "canary_ms": float(np.median(timing.canary_ms)) if paced else 0.0,
        "per_canary": float(np.median(timing.samples_ms / timing.canary_ms)) if paced else 0.0,
        "preempted_runs": timing.preempted,
        "attempts": timing.attempts,
        "unstable": timing.unstable,
        "load_ms": load_ms,
        "peak_memory_bytes": peak,
        "network_memory_bytes": max(0, peak - idle_bytes),
        "nodes_by_provider": runtime.nodes_by_provider(session),
        "layers": layers,
    }


def _canary(model: bytes, settings: dict[str, Any]) -> Callable[[], object]:
    """The canary, after a first run. It runs in one way whatever the settings are, on one thread: what it tells of is
    the pace of a processor."""
    told = settings | {"threads": 1, "graph_optimization": "all", "provider_options": {}}
    session = runtime.open_session(model, told)
    run = runtime.runner(session, runtime.inputs(session, batch_size=1), told["provider"])
    run()
    return run


def _preemptions() -> int:
    """How often the system has taken a processor away from a thread of this process that wanted it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
