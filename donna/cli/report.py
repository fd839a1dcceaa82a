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
    from donna import durable
    from donna.cli.output import check_file, print_json, say
    from donna.errors import InvalidArgument
    from donna.pipeline.folder import read_result
    from donna.report import report_html

    result = read_result(folder)
    path = check_file(output or folder / "report.html")
    evaluations = folder / "evaluations.csv"
    try:
        text = evaluations.read_text() if evaluations.exists() else ""
        page = report_html(result, text)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArgument.of(
            str(folder),
            f"result.json or evaluations.csv lacks what the report needs ({error}); were they written by another "
            "version?",
        ) from None
    durable.write(path, page.encode(), sync=False)
    if json:
        print_json({"report": str(path), "size_bytes": len(page.encode())})
    else:
        say(f"{path}: {len(page.encode()) // 1024} KB, open it in any browser")
