"""The result of a run as one table: the reference and the networks that were found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def print_result(result: dict[str, Any], folder: Path, console: Console | None = None) -> None:
    """Prints reference and winners, what was found against the reference, and where the files are."""
    console = console or Console(highlight=False)
    devices = list(result["reference"]["latency_ms"])
    table = Table(
        title=f"{result['name']}: {result['space']['num_architectures']:,} networks searched",
        title_justify="left",
    )
    table.add_column("network")
    table.add_column("architecture")
    table.add_column("accuracy\n(test)", justify="right")
    for device in devices:
        table.add_column(f"latency on\n{device}, ms", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("multiply-\nadds", justify="right")
    table.add_column("size, KB", justify="right")
    for model in (result["reference"], *result["models"]):
        table.add_row(
            model["name"],
            model.get("architecture", ""),
            f"{100 * model['accuracy']:.1f} %",
            *(f"{model['latency_ms'][device]:.3f}" for device in devices),
            f"{model['parameters']:,}",
            f"{model['macs']:,}",
            f"{model['size_bytes'] / 1024:.0f}",
            style="bold" if model["name"] == "reference" else None,
        )
    console.print(table)
    for device in devices:
        console.print(summary(result, device))
    predictor = result["predictor"]
    if predictor["num_holdout"]:
        console.print(
            f"The predictor ranks {predictor['num_holdout']} networks it has not seen with Kendall tau "
            f"{predictor['kendall_tau_holdout']:.2f} ({predictor['num_samples']} samples; leave-one-out "
            f"{predictor['kendall_tau_loo']:.2f})."
        )
    console.print(f"Models, front, picture and result: {folder}")


def summary(result: dict[str, Any], device: str) -> str:
    """What was found on a device, in one honest sentence."""
    reference = result["reference"]
    latency = reference["latency_ms"][device]
    fastest = min(result["models"], key=lambda m: m["latency_ms"][device])
    best = max(result["models"], key=lambda m: m["accuracy"])
    as_good = [m for m in result["models"] if m["accuracy"] >= reference["accuracy"]]
    if as_good:
        found = min(as_good, key=lambda m: m["latency_ms"][device])
        ratio = latency / found["latency_ms"][device]
        return f"On {device}: {found['name']} is {_times(ratio)} as the reference and at least as accurate."
    return (
        f"On {device}: no network is as accurate as the reference; {best['name']} loses "
        f"{100 * (reference['accuracy'] - best['accuracy']):.1f} points and is "
        f"{_times(latency / best['latency_ms'][device])}, {fastest['name']} is "
        f"{_times(latency / fastest['latency_ms'][device])}."
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x as fast" if ratio >= 1 else f"{1 / ratio:.2f}x as slow"
