"""What a run has found against the reference, and how far its latencies hold, in honest sentences. Pure."""

from __future__ import annotations

from statistics import median
from typing import Any

from donna.pipeline.turns import FAR_APART


def found(result: dict[str, Any], device: str) -> str:
    """The networks that were finetuned against the reference: test accuracy, and latency on this device."""
    model = best(result, device)
    if model is None:
        return f"On {device}: no network was finetuned."
    lost = result["reference"]["accuracy"] - model["accuracy"]
    against = f"{100 * lost:.1f} points less accurate" if lost > 0 else "at least as accurate"
    return (
        f"On {device}: {model['name']} is {_times(model['speedup'][device])} as the reference and {against}."
    )


def best(result: dict[str, Any], device: str) -> dict[str, Any] | None:
    """The network that a run is worth telling of; None when none was finetuned.

    The fastest that is at least as accurate as the reference; without one, the most accurate of those that are
    faster; without those, the most accurate.
    """
    reference, models = result["reference"], result["models"]
    as_good = [m for m in models if m["accuracy"] >= reference["accuracy"]]
    if as_good:
        return max(as_good, key=lambda m: m["speedup"][device])
    faster = [m for m in models if m["speedup"][device] > 1]
    return max(faster or models, key=lambda m: m["accuracy"], default=None)


def measured_again(result: dict[str, Any], device: str) -> str:
    """How far the latencies measured again, in turns, are from those of the search; "" when the search did not
    measure on this device.

    The reference's file is the same both times: when its latency has moved, it was the device that changed.
    """
    differences = [m.get("latency_difference", {}).get(device) for m in result["models"]]
    known = [difference for difference in differences if difference is not None]
    if not known:
        return ""
    told = (
        f"On {device}: measured again, the networks differ from the search by "
        f"{100 * median(known):+.1f} % in the median ({100 * min(known):+.1f} to {100 * max(known):+.1f} %)"
    )
    moved = result["reference"].get("latency_difference", {}).get(device)
    if moved is None:
        return f"{told}."
    told += f", and the reference by {100 * moved:+.1f} %."
    if abs(moved) > FAR_APART:
        told += " The device has changed its pace in between: compare only what was measured again."
    return told


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x as fast" if ratio >= 1 else f"{1 / ratio:.2f}x as slow"
