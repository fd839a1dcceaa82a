"""The result of a run as one table: the reference and the networks that were found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from donna.cli.output import open_console
from donna.pipeline.found import found, measured_again

UNSTABLE = "* UNSTABLE: the device did not settle while this was measured; do not trust small differences."


def print_result(result: dict[str, Any], folder: Path, console: Console | None = None) -> None:
    """Prints reference and winners, what was found against the reference, and where the files are."""
    console = console or open_console()
    devices = list(result["reference"]["latency_ms"])
    table = Table(
        title=f"{result['name']}: {result['space']['num_architectures']:,} networks searched",
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("network", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    table.add_column("accuracy\n(test)", justify="right")
    for device in devices:
        table.add_column(f"latency on\n{device}, ms", justify="right")
    table.add_column("para-\nmeters", justify="right")
    table.add_column("multiply-\nadds", justify="right")
    table.add_column("size, KB", justify="right")
    rows = [row for model in (result["reference"], *result["models"]) for row in _rows(model)]
    for model in rows:
        table.add_row(
            model["name"],
            model.get("architecture", ""),
            f"{100 * model['accuracy']:.1f} %",
            *(_latency(model, device) for device in devices),
            _short(model["parameters"]),
            _short(model["macs"]),
            f"{model['size_bytes'] / 1024:.0f}",
            style="bold" if model["name"] == "reference" else None,
        )
    console.print(table)
    if any(model.get("unstable_devices") for model in rows):
        console.print(UNSTABLE)
    for device in devices:
        console.print(found(result, device))
        if again := measured_again(result, device):
            console.print(again)
    predictor = result["predictor"]
    if predictor["num_holdout"]:
        console.print(
            f"The predictor ranks {predictor['num_holdout']} networks it has not seen with Kendall tau "
            f"{_tau(predictor['kendall_tau_holdout'])} ({predictor['num_samples']} samples; leave-one-out "
            f"{_tau(predictor['kendall_tau_loo'])})."
        )
    console.print(f"Models, front, picture, result and report.html: {folder}")


def _rows(model: dict[str, Any]) -> list[dict[str, Any]]:
    """A network, and below it the quantised model of it where there is one."""
    return [model, *([model | model["int8"] | {"name": "  in 8 bits"}] if "int8" in model else [])]


def _latency(model: dict[str, Any], device: str) -> str:
    star = "*" if device in model.get("unstable_devices", ()) else ""
    return f"{model['latency_ms'][device]:.3f}{star}"


def _tau(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _short(value: int) -> str:
    """Three digits and a letter: 263 k, 2.93 M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return str(value)
