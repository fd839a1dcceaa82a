"""DONNA: the best neural network for each of your devices. `donna.Client` speaks to its services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from donna.client import Client, Endpoints, JobFailed

__version__ = "0.1.0"
__all__ = ["Client", "Endpoints", "JobFailed", "__version__"]


def __getattr__(name: str) -> Any:
    """The names of the SDK, loaded when they are first asked for: `import donna` alone brings nothing along."""
    if name not in __all__:
        raise AttributeError(f"module 'donna' has no attribute {name!r}")
    from donna import client

    return getattr(client, name)
