"""`donna report`: the page of a run, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from donna.cli import options


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run that is complete.")],
    output: Annotated[Path | None, typer.Option(help="File to write; default report.html there.")] = None,
    json: options.Json = False,
) -> None:
    """Writes the report of a run again: one HTML file that needs no network.

    Example: `donna report runs/digits`
    """
    from donna.cli.output import print_json, say
    from donna.errors import InvalidArgument
    from donna.pipeline.folder import read_result, write_whole
    from donna.report import report_html

    evaluations = folder / "evaluations.csv"
    text = evaluations.read_text() if evaluations.exists() else ""
    result = read_result(folder)
    try:
        page = report_html(result, text)
    except (KeyError, TypeError) as error:
        raise InvalidArgument.of(
            str(folder),
            f"result.json lacks what the report needs ({error}); was it written by another version?",
        ) from None
    path = output or folder / "report.html"
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise InvalidArgument.of("--output", f"{path} cannot be written: {error.strerror}") from None
    if json:
        print_json({"report": str(path), "size_bytes": len(page.encode())})
    else:
        say(f"{path}: {len(page.encode()) // 1024} KB, open it in any browser")
