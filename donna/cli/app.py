"""The commands of `donna`, in the order of its help. Nothing heavy is imported until a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

import donna
from donna.cli import (
    convert,
    devices,
    distill,
    finetune,
    inspect,
    jobs,
    mlflow,
    plan,
    predictor,
    profile,
    report,
    run,
    search,
    services,
)

PANELS = (
    ("A whole run", (run.run, plan.plan, report.report, mlflow.mlflow)),
    ("Phase by phase", (distill.distill, search.search, finetune.finetune, finetune.export)),
    ("Weights", (convert.convert,)),
    ("Devices", (profile.profile, devices.devices)),
    ("Services", (services.up, services.down, services.status)),
)
GROUPS = (
    ("Look first", "inspect", inspect.app),
    ("Phase by phase", "predictor", predictor.app),
    ("Services", "jobs", jobs.app),
)


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        name="donna",
        help="The best neural network for each of your devices.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.callback(invoke_without_command=True)(_root)
    for panel, commands in PANELS:
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    for panel, name, group in GROUPS:
        app.add_typer(group, name=name, rich_help_panel=panel)
    return app


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"donna {donna.__version__}")
        raise typer.Exit
