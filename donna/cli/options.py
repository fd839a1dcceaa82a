"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Endpoint = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        help="Use a service that runs already: distiller=host:port; a device: device.phone=host:port. "
        "Also from DONNA_ENDPOINTS (comma-separated) and the file that DONNA_CONFIG names.",
    ),
]
State = Annotated[
    Path, typer.Option("--state", help="Folder of the local services' state: what is trained stays here.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only results and errors.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key of the spec, e.g. search.seed=1.")
]
SpecFile = Annotated[Path, typer.Argument(help="The spec, a YAML file.")]
LibraryName = Annotated[
    str, typer.Option("--library", help="A block library: its name (blockLibraries/…) or its manifest file.")
]

LARGEST = 2**31 - 1
"""The largest whole number that the services are told."""
STATE = Path(".donna")
