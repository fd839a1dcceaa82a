"""What the fields of a record may be, numbers and words, and reading them from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from donna.errors import InvalidArgument, Violation


@dataclass(frozen=True)
class Number:
    """In `low`..`high`, and not `low` itself where that is `excluded`; whole where `kind` is int."""

    kind: type[int] | type[float]
    low: float
    high: float
    excluded: bool = False

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, as a phrase, or None."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        inside = number and self.low <= value <= self.high and not (self.excluded and value == self.low)
        if inside and (self.kind is float or value == int(value)):
            return None
        what = "a whole number" if self.kind is int else "a number"
        if self.excluded:
            return f"must be {what} above {self.low:g}, at most {self.high:g}, got {value!r}"
        return f"must be {what} in {self.low:g}..{self.high:g}, got {value!r}"


@dataclass(frozen=True)
class Word:
    """One of `choices`."""

    choices: tuple[str, ...]
    kind = str

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, as a phrase, or None."""
        return None if value in self.choices else f"must be one of {', '.join(self.choices)}, got {value!r}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    kind = bool

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, as a phrase, or None."""
        return None if isinstance(value, bool) else f"must be true or false, got {value!r}"


Allowed = Mapping[str, Number | Word | Flag]


def read(raw: Mapping[str, Any], allowed: Allowed, field: str, record: str) -> dict[str, Any]:
    """The values of `raw`, each of its kind; `record` is what they are fields of, with its article.

    Raises InvalidArgument naming `<field>.<name>` for every unknown or wrong one at once.
    """
    wrong = {name: f"is not a field of {record}" for name in raw if name not in allowed}
    for name, value in raw.items():
        if name in allowed and (problem := allowed[name].problem(value)):
            wrong[name] = problem
    if wrong:
        raise InvalidArgument.all_of(
            Violation(field=f"{field}.{name}", description=said) for name, said in wrong.items()
        )
    return {name: allowed[name].kind(value) for name, value in raw.items()}
