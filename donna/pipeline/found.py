"""What a run has found against the reference, in one honest sentence. Pure."""

from __future__ import annotations

from typing import Any


def found(result: dict[str, Any], device: str) -> str:
    """The networks that were finetuned against the reference: test accuracy, and latency on this device."""
    reference = result["reference"]
    latency_ms = reference["latency_ms"][device]
    models = result["models"]
    if not models:
        return f"On {device}: no network was finetuned."
    as_good = [m for m in models if m["accuracy"] >= reference["accuracy"]]
    if as_good:
        fastest = min(as_good, key=lambda m: m["latency_ms"][device])
        times = _times(latency_ms / fastest["latency_ms"][device])
        return f"On {device}: {fastest['name']} is {times} as the reference and at least as accurate."
    best = max(models, key=lambda m: m["accuracy"])
    fastest = min(models, key=lambda m: m["latency_ms"][device])
    lost = 100 * (reference["accuracy"] - best["accuracy"])
    sentence = (
        f"On {device}: no network is as accurate as the reference; {best['name']} loses {lost:.1f} points and is "
        f"{_times(latency_ms / best['latency_ms'][device])}"
    )
    if fastest is not best:
        sentence += f", {fastest['name']} is {_times(latency_ms / fastest['latency_ms'][device])}"
    return f"{sentence}."


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x as fast" if ratio >= 1 else f"{1 / ratio:.2f}x as slow"
