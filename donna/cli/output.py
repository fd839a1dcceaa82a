"""What a command prints: JSON for programs, a table or sentences for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from donna.errors import InvalidArgument

WIDTH = 160  # of what goes into a file or a pipe


def open_console(*, stderr: bool = False) -> Console:
    """The terminal at its own width; a file or a pipe at one that breaks no line needlessly."""
    # Brackets in names, paths and errors are themselves, no markup.
    console = Console(highlight=False, markup=False, stderr=stderr)
    return (
        console if console.is_terminal else Console(highlight=False, markup=False, stderr=stderr, width=WIDTH)
    )


def check_file(path: Path) -> Path:
    """A file that can be written. Raises InvalidArgument before the work that fills it."""
    try:
        there = path.exists()
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise InvalidArgument.of("--output", f"{path} cannot be written: {error.strerror}") from None
    return path


def make_folder(path: Path) -> Path:
    """A folder that can be written, made if need be. Raises InvalidArgument before the work that fills it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument.of("--output", f"{path} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise InvalidArgument.of("--output", f"{path} cannot be written")
    return path


def waiting(sentence: str) -> AbstractContextManager[object]:
    """Shows what a person waits for, in a terminal; a file or a pipe sees nothing."""
    console = open_console(stderr=True)
    return console.status(sentence) if console.is_terminal else nullcontext()


def print_json(value: Any) -> None:
    """Prints one JSON value; messages as the protobuf JSON form, with the field names of the protos."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", left: Sequence[str] = ()
) -> None:
    """Prints rows under columns; numbers to the right, columns in `left` and the first to the left."""
    table = Table(
        title=title or None, title_justify="left", title_style="bold", header_style="dim", box=box.SIMPLE_HEAD
    )
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 or column in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    open_console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def say(sentence: str) -> None:
    """Prints a sentence for a person."""
    open_console().print(Text(sentence))
