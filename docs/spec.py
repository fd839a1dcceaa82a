"""Writes docs/spec.md from the sections of the spec: `python docs/spec.py`, or `make docs`."""

from __future__ import annotations

import ast
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).parents[1]))

from donna.pipeline.sections import MOST
from donna.pipeline.spec import Spec

PAGE = Path(__file__).with_name("spec.md")
WORDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "`true` or `false`",
    Path: "file",
    dict: "mapping",
}


def sections(found: type[BaseModel]) -> list[type[BaseModel]]:
    """A section and those below it, each once, in the order in which a reader of the spec meets them."""
    below = [inner for field in found.model_fields.values() for inner in _models(field.annotation)]
    return list(dict.fromkeys([found, *(one for section in below for one in sections(section))]))


def rows(section: type[BaseModel]) -> Iterator[str]:
    """A line for each key of a section."""
    said = _said(section)
    for name, field in section.model_fields.items():
        yield f"| `{name}` | {_kind(field)} | {_default(field)} | {said[name]} |"


def _said(section: type[BaseModel]) -> dict[str, str]:
    """The text below each field, also of the sections that this one builds on."""
    said: dict[str, str] = {}
    for one in reversed(section.__mro__):
        if not (issubclass(one, BaseModel) and one is not BaseModel):
            continue
        (parsed,) = ast.parse(inspect.getsource(one)).body
        body = getattr(parsed, "body", [])
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                said[ast.unparse(field.target)] = ast.literal_eval(text.value)
    return said


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)


def _kind(field: FieldInfo) -> str:
    return " ".join([_type(field.annotation), ", ".join(_limits(field.metadata))]).strip()


def _type(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return " ".join([_type(inner[0]), ", ".join(_limits(inner[1:]))]).strip()
    if origin is typing.Literal:
        return ", ".join(f"`{word}`" for word in inner if word != "")
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(one) for one in inner if one is not type(None))
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return WORDS[dict]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return WORDS[annotation]


def _limits(metadata: Any) -> Iterator[str]:
    for limit in metadata:
        for sign, attribute in ((">", "gt"), ("≥", "ge"), ("<", "lt"), ("≤", "le")):
            value = getattr(limit, attribute, None)
            if value is not None and value != MOST:  # what the wire carries is no limit to tell of
                yield f"{sign} {value}"
        if isinstance(limit, annotated_types.MinLen):
            yield f"(at least {limit.min_length})"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.default
    if isinstance(value, BaseModel) or value in (None, "", (), {}):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(one.metric for one in value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def page() -> str:
    """The page."""
    parts = [
        "# The spec",
        "The YAML file that describes a run, key by key. A key that does not exist is refused, and so is a value "
        "outside its range, before anything starts. [examples/digits.yaml](../examples/digits.yaml) is one to copy; "
        "`--set section.key=value` changes a key for one run. This page is written by `docs/spec.py`.",
    ]
    for section in sections(Spec):
        parts += [
            f"## {section.__name__}",
            inspect.getdoc(section) or "",
            "\n".join(["| key | value | default | what it says |", "|---|---|---|---|", *rows(section)]),
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
