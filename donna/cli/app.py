"""The commands, one function each; their work is elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import donna
from donna.errors import InvalidArgument

app = typer.Typer(
    name="donna",
    help="The best neural network for each of your devices.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"donna {donna.__version__}")
        raise typer.Exit


@app.command()
def run(
    spec: Annotated[Path, typer.Argument(help="The spec of the run, a YAML file.")],
    output: Annotated[Path | None, typer.Option(help="Folder for the results; default runs/<name>.")] = None,
    state: Annotated[
        Path, typer.Option(help="Folder of the services' state: what is trained stays here.")
    ] = Path(".donna"),
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key of the spec, e.g. search.seed=1.")
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            help="Use a service that runs already: distiller=host:port; a further device: device.phone=host:port."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace a run of another spec in the output folder.")
    ] = False,
) -> None:
    """Runs all of DONNA: from a reference network to measured, exported Pareto-optimal networks.

    Example: `donna run examples/digits.yaml --output runs/digits`
    """
    from donna.cli.display import Terminal
    from donna.cli.table import print_result
    from donna.local import services
    from donna.pipeline.folder import RunFolder
    from donna.pipeline.run import run as run_pipeline
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    folder = RunFolder(output or Path("runs") / parsed.name, parsed, overwrite=overwrite)
    terminal = Terminal()
    result = folder.result()
    if result is not None:
        terminal.say(f"{folder.path} is complete already; nothing is done again")
    else:
        given, profilers = read_endpoints(endpoint or ())
        with terminal, services(state, given=given, profilers=profilers) as client:
            result = run_pipeline(client, parsed, folder, terminal)
    print_result(result, folder.path)


def read_endpoints(texts: list[str] | tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Services and further devices from `name=host:port`. Raises InvalidArgument naming the option."""
    given: dict[str, str] = {}
    profilers: dict[str, str] = {}
    for text in texts:
        name, equals, address = text.partition("=")
        host, colon, port = address.rpartition(":")
        if not equals or not colon or not host or not port.isdigit():
            raise InvalidArgument.of("--endpoint", f"must read like distiller=host:port, got {text!r}")
        if name.startswith("device."):
            profilers[name.removeprefix("device.")] = address
        elif name in ("distiller", "finetuner", "predictor", "searcher", "profiler"):
            given[name] = address
        else:
            raise InvalidArgument.of(
                "--endpoint", f"{name!r} is no service; known are the five and device.<name>"
            )
    return given, profilers
