"""Dataset providers by name: ours, and those that installed packages offer through entry points.

A package offers one with, in its pyproject.toml,

    [project.entry-points."donna.datasets"]
    flowers = "flowers_package.dataset"

where the target has `check(arguments)` and `open(arguments, root)` (see source.Provider). A request can
name a provider, never an import path. Providers are imported when they are first asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from donna.data.source import Provider
from donna.errors import FailedPrecondition, InvalidArgument

GROUP = "donna.datasets"
_OURS = {
    "digits": "donna.data.digits",
    "image_folder": "donna.data.image_folder",
    "parquet": "donna.data.parquet",
    "torchvision": "donna.data.torchvision_sets",
}


def providers() -> tuple[str, ...]:
    """The names that can be asked for, sorted."""
    return tuple(sorted({*_OURS, *_offered()}))


@cache
def provider(name: str) -> Provider:
    """The provider of that name. Raises InvalidArgument for a name that nobody registered and
    FailedPrecondition when its package cannot be imported."""
    if name in _OURS:
        return cast(Provider, import_module(_OURS[name]))
    offered = _offered().get(name)
    if offered is None:
        raise InvalidArgument.of(
            "dataset.provider", f"{name!r} is not registered; registered are {', '.join(providers())}"
        )
    try:
        return cast(Provider, offered.load())
    except Exception as error:
        raise FailedPrecondition(
            f"the dataset provider {name!r} is registered but cannot be imported ({type(error).__name__})"
        ) from error


def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _OURS}
