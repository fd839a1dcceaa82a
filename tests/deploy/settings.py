"""The environment variables that the services know."""

import importlib

from donna import settings
from donna.settings import ServiceSettings


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings of a service."""
    module = importlib.import_module(f"services.{service}.settings")
    return getattr(module, f"{service.capitalize()}Settings")


def known_variables(service: str) -> set[str]:
    """The names of all variables that set something."""
    return settings.known_variables(settings_class(service))
