"""A registry of named things, extended by other packages through an entry-point group."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from donna.errors import FailedPrecondition, InvalidArgument

T = TypeVar("T")
log = logging.getLogger("donna.registry")


class Registry(Generic[T]):
    """Names to things of one kind: `ours`, and what installed packages offer in the entry-point group `group`.

    Each is named as an entry point names it, `module` or `module:attribute`, and imported when it is first asked for:
    a registry costs nothing, and one thing that cannot be imported stands in no other's way. Ours come first.
    """

    def __init__(self, *, kind: str, group: str, ours: Mapping[str, str]) -> None:
        self._kind, self._group = kind, group
        self._ours = {name: EntryPoint(name, where, group) for name, where in ours.items()}
        self._things: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Every registered name, sorted."""
        return tuple(sorted({*self._points(), *self._things}))

    def items(self) -> Iterator[tuple[str, T]]:
        """All that can be imported, sorted by name; what cannot is in the log."""
        for name in self.names():
            try:
                yield name, self.get(name, self._kind)
            except FailedPrecondition as error:
                log.warning("%s", error.message, exc_info=True)

    def get(self, name: str, field: str) -> T:
        """The thing of that name. Raises InvalidArgument for `field`, with close matches, if none is, and
        FailedPrecondition when its package cannot be imported."""
        if not isinstance(name, str) or (name not in self._things and name not in self._points()):
            close = difflib.get_close_matches(str(name), self.names(), n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(self.names())}"
            raise InvalidArgument.of(field, f"there is no {self._kind} {name!r}; {hint}")
        if name not in self._things:
            self._things[name] = self._load(self._points()[name])
        return self._things[name]

    def _load(self, point: EntryPoint) -> T:
        try:
            thing: T = point.load()
        except Exception as error:  # somebody else's code
            said = f"is registered but cannot be imported ({type(error).__name__})"
            raise FailedPrecondition(f"the {self._kind} {point.name!r} {said}") from error
        return thing

    def _points(self) -> dict[str, EntryPoint]:
        return {**{point.name: point for point in entry_points(group=self._group)}, **self._ours}
