"""The environment variables that the services know."""

import importlib

from donna.settings import ServiceSettings


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings of a service."""
    module = importlib.import_module(f"services.{service}.settings")
    return getattr(module, f"{service.capitalize()}Settings")


def known_variables(service: str) -> set[str]:
    """The names of all variables that set something."""
    found = settings_class(service)
    prefix = found.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper() for name in found.model_fields}
