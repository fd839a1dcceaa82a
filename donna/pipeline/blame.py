"""Errors about a recipe, named after the section of the spec that it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from donna.errors import InvalidArgument, Violation


@contextmanager
def blame(section: str) -> Iterator[None]:
    """Names the section of the spec in errors about a recipe."""
    try:
        yield
    except InvalidArgument as error:
        renamed = [
            Violation(field=_section_field(section, v.field), description=v.description)
            for v in error.violations
        ]
        raise (InvalidArgument.all_of(renamed) if renamed else error) from None


def _section_field(section: str, path: str) -> str:
    inside = path.removeprefix("spec.")
    return f"{section}.{inside.removeprefix('recipe.')}" if inside.startswith("recipe.") else inside
