"""Errors of the services, named after the place in the spec that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from donna.errors import InvalidArgument, Violation

SEARCH = {
    "latency_mode": "search.latency",
    **{name: f"search.{name}" for name in ("objectives", "bounds", "population", "generations", "seed")},
    **{name: f"search.{name}" for name in ("algorithm", "max_measurements", "measurement")},
}
MEASUREMENT = {"settings": "search.measurement"}


def recipe(section: str) -> dict[str, str]:
    """The places of a recipe in a section of the spec."""
    return {"recipe": section}


LIBRARY = recipe("distillation") | {"blocks": "space.blocks"}


@contextmanager
def blame(places: Mapping[str, str]) -> Iterator[None]:
    """Names the place in the spec, by the first part of the field that an error is about."""
    try:
        yield
    except InvalidArgument as error:
        renamed = [
            Violation(field=_place(violation.field, places), description=violation.description)
            for violation in error.violations
        ]
        raise (InvalidArgument.all_of(renamed) if renamed else error) from None


def _place(field: str, places: Mapping[str, str]) -> str:
    inside = field.removeprefix("spec.")
    for part, place in places.items():
        rest = inside.removeprefix(part)
        if inside.startswith(part) and rest[:1] in ("", ".", "["):
            return place + rest
    return inside
