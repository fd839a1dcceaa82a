"""`donna run`: all of DONNA from one spec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from donna.cli import options


def run(
    spec: Annotated[Path, typer.Argument(help="The spec of the run, a YAML file.")],
    output: Annotated[Path | None, typer.Option(help="Folder for the results; default runs/<name>.")] = None,
    state: options.State = options.STATE,
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run of another spec in the output folder.")
    ] = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Runs all of DONNA: from a reference network to measured, exported Pareto-optimal networks.

    Example: `donna run examples/digits.yaml --output runs/digits`
    """
    from donna.cli.connect import connect
    from donna.cli.display import Terminal
    from donna.cli.output import open_console, print_json
    from donna.cli.table import print_result
    from donna.pipeline.folder import RunFolder
    from donna.pipeline.run import run as run_pipeline
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    folder = RunFolder(output or Path("runs") / parsed.name, parsed, overwrite=overwrite)
    terminal = Terminal(open_console(stderr=json), quiet)
    result = folder.result()
    if result is not None:
        terminal.say(f"{folder.path} is complete already; nothing is done again")
    else:
        with connect(endpoint, state, lasting=True) as client, terminal:
            result = run_pipeline(client, parsed, folder, terminal)
    if json:
        print_json(result)
    else:
        print_result(result, folder.path)
