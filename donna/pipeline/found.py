"""What a run has found against the reference, and how far its latencies hold, in honest sentences. Pure."""

from __future__ import annotations

from statistics import median
from typing import Any


def found(result: dict[str, Any], device: str) -> str:
    """The networks that were finetuned against the reference: test accuracy, and latency on this device.

    The fastest network that is at least as accurate; without one, the most accurate of those that are faster,
    with what it loses; without those, the most accurate.
    """
    reference = result["reference"]
    models = result["models"]
    if not models:
        return f"On {device}: no network was finetuned."
    as_good = [m for m in models if m["accuracy"] >= reference["accuracy"]]
    if as_good:
        model = max(as_good, key=lambda m: m["speedup"][device])
        against = "at least as accurate"
    else:
        faster = [m for m in models if m["speedup"][device] > 1]
        model = max(faster or models, key=lambda m: m["accuracy"])
        against = f"{100 * (reference['accuracy'] - model['accuracy']):.1f} points less accurate"
    return (
        f"On {device}: {model['name']} is {_times(model['speedup'][device])} as the reference and {against}."
    )


def measured_again(result: dict[str, Any], device: str) -> str:
    """How far the latencies of the exported models are from those of the search, which measures without weights;
    "" when the search did not measure on this device."""
    differences = [m.get("latency_difference", {}).get(device) for m in result["models"]]
    known = [difference for difference in differences if difference is not None]
    if not known:
        return ""
    return (
        f"On {device}: measured again with their weights, the networks differ from the search by "
        f"{100 * median(known):+.1f} % in the median ({100 * min(known):+.1f} to {100 * max(known):+.1f} %)."
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x as fast" if ratio >= 1 else f"{1 / ratio:.2f}x as slow"
