"""Writes docs/settings.md from the settings of the services: `python docs/settings.py`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from donna.settings import ServiceSettings, TrainingSettings

PAGE = Path(__file__).with_name("settings.md")
SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")


def rows(found: type[ServiceSettings], without: type[ServiceSettings] | None = None) -> Iterator[str]:
    """A line for each setting of a class that the other class does not have."""
    for name, field in found.model_fields.items():
        if without is None or name not in without.model_fields:
            default = "" if field.default in ("", None) else f"`{field.default}`"
            yield f"| `{name.upper()}` | {default} | {field.description} |"


def page() -> str:
    """The page."""
    head = ["| setting | default | what it says |", "|---|---|---|"]
    parts = [
        "# Settings",
        "Each service reads its settings from variables `DONNA_<SERVICE>_<SETTING>` when it starts, and nothing else "
        "from the environment. A wrong one ends it with one sentence that names the variable. This page is written by "
        "`docs/settings.py`.",
        "## Every service",
        "\n".join([*head, *rows(ServiceSettings)]),
        "## Distiller and finetuner: where training runs",
        "\n".join([*head, *rows(TrainingSettings, ServiceSettings)]),
    ]
    for service in SERVICES:
        found = getattr(
            importlib.import_module(f"services.{service}.settings"), f"{service.capitalize()}Settings"
        )
        without = TrainingSettings if issubclass(found, TrainingSettings) else ServiceSettings
        parts += [f"## `DONNA_{service.upper()}_…`", "\n".join([*head, *rows(found, without)])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
