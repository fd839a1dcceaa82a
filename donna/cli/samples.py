"""Architectures with their accuracies from a CSV file with the columns `architecture` and `accuracy`."""

from __future__ import annotations

import csv
from pathlib import Path

from donna.errors import InvalidArgument
from donna.space import Architecture
from donna.space.library import Library


def read_samples(path: Path, library: Library) -> list[tuple[Architecture, float]]:
    """Accuracies in [0, 1]. Raises InvalidArgument naming the line that is wrong."""
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            missing = {"architecture", "accuracy"} - set(rows.fieldnames or ())
            if missing:
                raise InvalidArgument.of("--samples", f"{path} lacks the column {', '.join(sorted(missing))}")
            return [_sample(row, f"{path} line {rows.line_num}", library) for row in rows]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InvalidArgument.of("--samples", f"{path} cannot be read: {reason}") from None


def _sample(row: dict[str, str], place: str, library: Library) -> tuple[Architecture, float]:
    try:
        architecture = Architecture.parse(row["architecture"] or "")
        architecture.check(library.num_options)
    except InvalidArgument as error:
        raise InvalidArgument.of("--samples", f"{place}: {error.message}") from None
    try:
        accuracy = float(row["accuracy"])
    except (TypeError, ValueError):
        accuracy = -1.0
    if not 0 <= accuracy <= 1:
        raise InvalidArgument.of(
            "--samples", f"{place}: accuracy must be a number in [0, 1], got {row['accuracy']!r}"
        )
    return architecture, accuracy
