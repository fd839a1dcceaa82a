"""Options as a person reads them: the family's name, and only the parameters that differ. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from donna.space.option import Option, Scalar

# As the paper writes a block; what else there is comes after, by name.
ORDER = ("kernel", "expansion", "depth")


def option_labels(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each distinct option text its family, its parameters, and a label without what all of the family share."""
    options = {text: Option.parse(text) for text in dict.fromkeys(texts)}
    varying = _varying(options.values())
    return {
        text: {
            "family": option.family,
            "parameters": dict(option.parameters),
            "label": ", ".join(_told([p for p in option.parameters if (option.family, p[0]) in varying]))
            or _words(option.family),
        }
        for text, option in options.items()
    }


def _varying(options: Iterable[Option]) -> set[tuple[str, str]]:
    seen: dict[tuple[str, str], set[str]] = {}
    for option in options:
        for name, value in option.parameters:
            seen.setdefault((option.family, name), set()).add(str(value))
    return {key for key, values in seen.items() if len(values) > 1}


def _told(parameters: Iterable[tuple[str, Scalar]]) -> list[str]:
    """Sizes by name first, then words by themselves; what is "none" or false goes without saying."""
    sizes = [(n, v) for n, v in parameters if isinstance(v, (int, float)) and not isinstance(v, bool)]
    sizes.sort(key=lambda p: (ORDER.index(p[0]) if p[0] in ORDER else len(ORDER), p[0]))
    flags = [_words(name) for name, value in parameters if value is True]
    named = [_words(v) for _, v in parameters if isinstance(v, str) and v != "none"]
    return [f"{_words(name)} {value:g}" for name, value in sizes] + flags + named


def _words(name: str) -> str:
    return name.replace("_", " ")
