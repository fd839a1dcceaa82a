"""One way to build one block: a block family and its parameters, e.g. `skip()` or
`inverted_residual(activation=relu,depth=2,expansion=4,kernel=5)`.

The text form is canonical (parameters sorted by name), so equal options have equal texts and the
text can serve as a key. What families exist, and what their parameters mean, donna.nets knows.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from donna.errors import InvalidArgument

Scalar = bool | int | float | str

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_MAX_TEXT = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Option:
    """`family` is a registered block family; `parameters` are (name, value) pairs sorted by name.

    Options are equal when their texts are: `kernel=1` is neither `kernel=true` nor `kernel=1.0`, though Python
    takes these for equal. Raises InvalidArgument for what could not be read back from the text form.
    """

    family: str
    parameters: tuple[tuple[str, Scalar], ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.family):
            raise InvalidArgument.of("family", f"must be lower_snake_case, got {self.family!r}")
        names = [name for name, _ in self.parameters]
        if names != sorted(set(names)):
            raise InvalidArgument.of(self.family, f"parameters must be sorted and distinct, got {names}")
        for name, value in self.parameters:
            if not _NAME.fullmatch(name):
                raise InvalidArgument.of(self.family, f"parameter names are lower_snake_case, got {name!r}")
            if isinstance(value, str) and (not _WORD.fullmatch(value) or _read(value) != value):
                raise InvalidArgument.of(f"{self.family}.{name}", f"must be a plain word, got {value!r}")
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidArgument.of(f"{self.family}.{name}", f"must be a finite number, got {value}")
        if len(str(self)) > _MAX_TEXT:
            raise InvalidArgument.of(self.family, f"must have at most {_MAX_TEXT} characters as text")

    @classmethod
    def of(cls, family: str, parameters: Mapping[str, Scalar] | None = None) -> Option:
        """An option from any order of parameters."""
        return cls(family=family, parameters=tuple(sorted((parameters or {}).items())))

    @classmethod
    def parse(cls, text: str) -> Option:
        """The inverse of `str`. Raises InvalidArgument, with the text, when it is not an option."""
        found = re.fullmatch(r"([a-z][a-z0-9_]*)\(([^()]*)\)", text) if len(text) <= _MAX_TEXT else None
        if found is None:
            raise InvalidArgument.of("option", f"must read like family(name=value,...), got {text[:80]!r}")
        family, inside = found.groups()
        parameters: dict[str, Scalar] = {}
        for pair in filter(None, inside.split(",")):
            name, equals, value = pair.partition("=")
            if not equals or name in parameters:
                raise InvalidArgument.of("option", f"{pair!r} in {text[:80]!r} is not one name=value")
            parameters[name] = _read(value)
        option = cls.of(family, parameters)
        if str(option) != text:
            raise InvalidArgument.of("option", f"{text[:80]!r} is not canonical; write {str(option)[:80]!r}")
        return option

    def __str__(self) -> str:
        return f"{self.family}({','.join(f'{name}={_write(value)}' for name, value in self.parameters)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Option) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __getitem__(self, name: str) -> Scalar:
        return dict(self.parameters)[name]


def expand(family: str, choices: Mapping[str, Iterable[Scalar] | Scalar]) -> tuple[Option, ...]:
    """Every combination of the listed values, in the order written; a single value is a list of one."""
    names = list(choices)
    lists = [
        [values] if isinstance(values, (bool, int, float, str)) else list(values)
        for values in choices.values()
    ]
    return tuple(
        Option.of(family, dict(zip(names, combination, strict=True)))
        for combination in itertools.product(*lists)
    )


def _write(value: Scalar) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else repr(value)
        if isinstance(value, float)
        else str(value)
    )


def _read(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
