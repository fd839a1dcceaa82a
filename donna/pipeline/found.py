"""What a run has found against the reference, in one honest sentence. Pure."""

from __future__ import annotations

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


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x as fast" if ratio >= 1 else f"{1 / ratio:.2f}x as slow"
