"""A registry of named things, extended by other packages through an entry-point group."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import entry_points
from threading import RLock
from typing import Generic, TypeVar

from donna.errors import AlreadyExists, InvalidArgument

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to things of one kind.

    `builtin` registers our own things; it and the entry points of `group` are run at the first look-up, so
    importing this costs nothing. An entry point names a thing (not a function that registers it).
    """

    def __init__(self, *, kind: str, group: str, builtin: Callable[[], None]) -> None:
        self._kind, self._group, self._builtin = kind, group, builtin
        self._things: dict[str, T] = {}
        self._loaded = False
        self._lock = RLock()

    def register(self, name: str, thing: T) -> T:
        """Adds `thing`; raises AlreadyExists when the name is taken by another one."""
        if self._things.setdefault(name, thing) is not thing:
            raise AlreadyExists(f"there is already a {self._kind} named {name!r}")
        return thing

    def names(self) -> tuple[str, ...]:
        """Every registered name, sorted."""
        self._load()
        return tuple(sorted(self._things))

    def get(self, name: str, field: str) -> T:
        """The thing of that name; raises InvalidArgument for `field`, with close matches, if none is."""
        self._load()
        try:
            return self._things[name]
        except (KeyError, TypeError):
            close = difflib.get_close_matches(str(name), self.names(), n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(self.names())}"
            raise InvalidArgument.of(field, f"there is no {self._kind} {name!r}; {hint}") from None

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
            self._builtin()
            for point in entry_points(group=self._group):
                self.register(point.name, point.load())
