"""`donna profile`: latencies of any ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from donna.cli import options


def profile(
    model: Annotated[Path, typer.Argument(help="Any ONNX model, in one file.")],
    device: Annotated[
        str, typer.Option(help="Name or kind of the device; may be left out when there is only one.")
    ] = "",
    layers: Annotated[bool, typer.Option("--layers", help="Also layer by layer.")] = False,
    batch_size: Annotated[int, typer.Option(help="Samples in one run.", min=1, max=options.LARGEST)] = 1,
    threads: Annotated[int, typer.Option(help="Threads inside an operator.", min=1, max=options.LARGEST)] = 1,
    provider: Annotated[str, typer.Option(help="Execution provider; default: the device's first.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Measure even if the result is known.")] = False,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Measures the latency of an ONNX model on a device.

    Example: `donna profile model.onnx --device local --layers`
    """
    from donna.cli.connect import connect
    from donna.cli.display import Terminal
    from donna.cli.output import open_console, print_json
    from donna.client.devices import names
    from donna.errors import InvalidArgument
    from donna.pipeline.devices import default_device
    from donna.pipeline.display import show_progress
    from donna.v1 import common_pb2

    try:
        data = model.read_bytes()
    except OSError as error:
        raise InvalidArgument.of("model", f"{model} cannot be read: {error.strerror}") from None
    settings = common_pb2.MeasurementSettings(
        batch_size=batch_size, threads=threads, provider=provider, per_layer=layers
    )
    with connect(endpoint, state, ("profiler",)) as client:
        if not device:
            known = client.devices.list()
            device = default_device(known)
        if not device:
            raise InvalidArgument.of("--device", f"must name one of {', '.join(names(known)) or 'none'}")
        title = f"Measuring {model} on {device}"
        with Terminal(open_console(stderr=True), quiet) as terminal, terminal.phase(title) as bar:
            result = client.devices.measure(
                device, data, settings, skip_cache=again, on_change=lambda m: show_progress(bar, m)
            )
    print_json(result) if json else print_measurement(result, f"{model} on {device}")


def print_measurement(result: Any, title: str) -> None:
    """The figures of a measurement, and its layers when there are any."""
    from donna.cli.output import print_table, say

    figures = [
        ("median", result.median_ms),
        ("its 95 % interval", f"{result.median_low_ms:.4g} to {result.median_high_ms:.4g}"),
        ("mean", result.mean_ms),
        ("fastest", result.min_ms),
        ("p90", result.p90_ms),
        ("p95", result.p95_ms),
        ("p99", result.p99_ms),
    ]
    print_table(("latency", "ms"), figures, title=title)
    nodes = ", ".join(f"{count} nodes on {name}" for name, count in sorted(result.nodes_by_provider.items()))
    settled = "did not settle: take it with care" if result.unstable else "settled"
    if result.canary_ms and result.median_ms:
        pace = 100 * (result.median_ms / result.steady_ms - 1)
        slower = f"{abs(pace):.1f} % {'slower' if pace > 0 else 'faster'}"
        say(
            f"The device was {slower} than at first: {result.steady_ms:.4g} ms at that pace, which searches compare."
        )
    say(
        f"{len(result.samples_ms)} runs, {settled}; peak memory {result.peak_memory_bytes / 2**20:.0f} MB; {nodes}."
    )
    if result.layers:
        print_table(
            ("layer", "operator", "provider", "ms"),
            [(layer.name, layer.op_type, layer.provider, layer.median_ms) for layer in result.layers],
            left=("operator", "provider"),
        )
