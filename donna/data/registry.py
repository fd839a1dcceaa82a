"""Dataset providers by name: ours, and those that installed packages offer through entry points.

A package offers one with, in its pyproject.toml,

    [project.entry-points."donna.datasets"]
    flowers = "flowers_package.dataset"

where the target has `check(arguments)` and `open(arguments, root)` (see source.Provider). A request can
name a provider, never an import path. Providers are imported when they are first asked for.
"""

from __future__ import annotations

from donna.data.source import Provider
from donna.registry import Registry

REGISTRY: Registry[Provider] = Registry(
    kind="dataset provider",
    group="donna.datasets",
    ours={
        "digits": "donna.data.digits",
        "image_folder": "donna.data.image_folder",
        "parquet": "donna.data.parquet",
        "torchvision": "donna.data.torchvision_sets",
    },
)


def providers() -> tuple[str, ...]:
    """The names that can be asked for, sorted."""
    return REGISTRY.names()


def provider(name: str) -> Provider:
    """The provider of that name. Raises InvalidArgument for a name that nobody registered and
    FailedPrecondition when its package cannot be imported."""
    return REGISTRY.get(name, "dataset.provider")
