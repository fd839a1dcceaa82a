"""Declared parameters: the type and the allowed values of everything a request may set on a net."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from donna.errors import InvalidArgument, Violation

_REQUIRED: Any = object()


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter: `kind` is bool, int, float or str; bounds are inclusive.

    `length` makes it a list of so many values; without `default` it is required.
    """

    name: str
    kind: type
    about: str
    default: Any = _REQUIRED
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    length: int | None = None

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is _REQUIRED

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, as a phrase, or None."""
        if self.length is not None:
            if not isinstance(value, (list, tuple)) or len(value) != self.length:
                return f"must be a list of {self.length} values, got {value!r}"
            return next(filter(None, map(self._problem_of_one, value)), None)
        return self._problem_of_one(value)

    def _problem_of_one(self, value: Any) -> str | None:
        accepted: Any = (int, float) if self.kind is float else self.kind
        if not isinstance(value, accepted) or (isinstance(value, bool) and self.kind is not bool):
            return f"must be {_article(self.kind.__name__)}, got {value!r}"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(map(str, self.choices))}, got {value!r}"
        if self.minimum is not None and not value >= self.minimum:
            return f"must be at least {self.minimum:g}, got {value!r}"
        if self.maximum is not None and not value <= self.maximum:
            return f"must be at most {self.maximum:g}, got {value!r}"
        return None


def check(parameters: Iterable[Parameter], given: Mapping[str, Any], field: str) -> dict[str, Any]:
    """`given` with defaults filled in, in one canonical form.

    Raises InvalidArgument naming `<field>.<name>` for every unknown, missing or wrong parameter at once.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    violations = []
    for name in given:
        if name not in declared:
            close = difflib.get_close_matches(str(name), declared, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(declared) or 'none'}"
            violations.append(Violation(field=f"{field}.{name}", description=f"is not a parameter; {hint}"))
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name not in given:
            if parameter.required:
                violations.append(
                    Violation(field=f"{field}.{name}", description=f"is missing ({parameter.about})")
                )
            values[name] = parameter.default
            continue
        problem = parameter.problem(given[name])
        if problem:
            violations.append(Violation(field=f"{field}.{name}", description=problem))
        values[name] = _canonical(given[name])
    if violations:
        raise InvalidArgument.all_of(violations)
    return values


def _canonical(value: Any) -> Any:
    """4.0 is written 4, and lists are tuples: equal settings have equal forms."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_canonical, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _article(kind: str) -> str:
    word = {"str": "string", "bool": "true or false", "int": "integer", "float": "number"}[kind]
    return word if kind == "bool" else f"an {word}" if word[0] in "aeiou" else f"a {word}"
