"""`donna convert`: a PyTorch checkpoint as safetensors, the only format that weights are read in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from donna.cli import options


def convert(
    source: Annotated[Path, typer.Argument(help="The checkpoint, a .pth or .pt file.")],
    target: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    key: Annotated[
        str,
        typer.Option(help="Where the weights are inside; empty: at the top or under state_dict or model."),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the target.")] = False,
    json: options.Json = False,
) -> None:
    """Converts a PyTorch checkpoint to safetensors, in a process of its own that runs nothing from the file.

    Example: `donna convert resnet50.pth resnet50.safetensors`
    """
    import subprocess
    import sys

    from donna.cli.output import print_json, say
    from donna.errors import FailedPrecondition, InvalidArgument, NotFound

    if not source.is_file():
        raise NotFound(f"{source}: there is no such file")
    if target.exists() and not force:
        raise InvalidArgument.of("target", f"{target} exists; --force overwrites it")
    arguments = [sys.executable, "-m", "donna.nets.convert", str(source), str(target), key]
    child = subprocess.run(arguments, capture_output=True, text=True)  # noqa: S603 - no shell, our own module
    if child.returncode:
        refused = child.returncode == 2 and child.stderr
        raise FailedPrecondition(
            child.stderr if refused else f"{source} could not be read within the limits of memory and time",
            reason="NOT_CONVERTED",
        )
    count, values = map(int, child.stdout.split())
    if json:
        print_json({"tensors": count, "values": values, "target": str(target)})
    else:
        say(f"{target}: {count} tensors, {values:,} values")
