"""`donna search`: a front from a library and a predictor, or whether there can be one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from donna.cli import options


def search(
    spec: options.SpecFile,
    library: options.LibraryName,
    predictor: Annotated[str, typer.Option(help="predictors/…; may be left out with --check.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Only print the space against the objectives and bounds.")
    ] = False,
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Searches the front by the `search` section of a spec; with --check tells what can be reached at all.

    Example: `donna search examples/digits.yaml --library library.json --predictor predictors/1f2e`
    """
    from donna.cli.connect import connect
    from donna.cli.display import Terminal
    from donna.cli.follow import follow
    from donna.cli.library import needs, open_library
    from donna.cli.output import open_console, print_json
    from donna.errors import InvalidArgument
    from donna.pipeline import messages
    from donna.pipeline.ask import place
    from donna.pipeline.blame import SEARCH, blame
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    if not predictor and not check:
        raise InvalidArgument.of("--predictor", "is needed, unless with --check")
    with connect(endpoint, state, needs(library, "searcher", "predictor", "profiler")) as client:
        manifest, _ = open_library(client, library)
        message = messages.search(place(client, parsed).spec, manifest, predictor)
        with blame(SEARCH):
            if check:
                title = "Measuring the smallest networks"
                with Terminal(open_console(stderr=True), quiet) as terminal, terminal.phase(title):
                    table = client.create(message, validate_only=True).feasibility
                print_json(table) if json else print_feasibility(table)
                return
            found = follow(client, message, "Searching the front", quiet=quiet)
    print_json(found) if json else print_front(found)


def print_feasibility(table: Any) -> None:
    """Smallest, median and largest value of the space for every metric, and whether its bound can be met."""
    from donna.cli.output import print_table

    print_table(
        ("metric", "smallest", "median", "largest", "bound", "can be met"),
        [
            (
                _metric(row),
                *(
                    f"{value:.6g}{' ~' if row.estimated else ''}"
                    for value in (row.smallest, row.median, row.largest)
                ),
                _bound(row),
                row.feasible if row.HasField("bound") else "",
            )
            for row in table.rows
        ],
        title="The space against its bounds (~ estimated)",
    )


def _metric(row: Any) -> str:
    from donna.v1 import common_pb2

    name = common_pb2.Metric.Name(row.metric).removeprefix("METRIC_").lower()
    return f"{name} on {row.device}" if row.device else name


def _bound(row: Any) -> str:
    if not row.HasField("bound"):
        return ""
    ends = [("≥", row.bound.min, row.bound.HasField("min")), ("≤", row.bound.max, row.bound.HasField("max"))]
    return " ".join(f"{sign} {value:g}" for sign, value, there in ends if there)


def _latency(point: Any, device: str) -> str:
    if device not in point.latency_ms:
        return ""
    return f"{point.latency_ms[device]:.4g}{'*' if device in point.unstable_devices else ''}"


def print_front(found: Any) -> None:
    """The front of a search, cheapest first."""
    from donna.cli.output import print_table, say
    from donna.cli.table import UNSTABLE
    from donna.space import Architecture

    devices = sorted({device for point in found.front for device in point.latency_ms})
    print_table(
        (
            "architecture",
            "predicted accuracy",
            "interval",
            *(f"{d}, ms" for d in devices),
            "parameters",
            "multiply-adds",
        ),
        [
            (
                str(Architecture(choices=tuple(p.architecture.choices))),
                f"{100 * p.predicted_accuracy:.2f} %",
                f"{100 * p.accuracy_low:.2f} to {100 * p.accuracy_high:.2f} %",
                *(_latency(p, d) for d in devices),
                p.parameters,
                p.macs,
            )
            for p in found.front
        ],
        title=f"{found.name}: {len(found.front)} networks on the front",
    )
    if any(point.unstable_devices for point in found.front):
        say(UNSTABLE)
    measured = ", ".join(
        f"{count} measured on {device}" for device, count in sorted(found.num_measured.items())
    )
    say(f"{found.num_evaluations} networks evaluated{', ' + measured if measured else ''}.")
