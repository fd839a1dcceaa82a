"""Environment variables that nobody reads: almost always a misspelling, so they are refused by name. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator

from donna.errors import Violation

# Kubernetes and older container engines tell every container of services beside it, and compose files of
# published ports, under names that may begin like ours.
_OF_OTHERS = re.compile(r"(SERVICE_(HOST|PORT\w*)|PORT(_\d+_\w+)?)$")


def unknown(names: Iterable[str], prefix: str, known: Collection[str]) -> Iterator[Violation]:
    """A sentence for each of `names` that begins with `prefix` and is not known, with the nearest that is."""
    for name in sorted(names):
        rest = name.removeprefix(prefix)
        if name == rest or name in known or _OF_OTHERS.match(rest):
            continue
        yield Violation(field=name, description=f"is no setting{_nearest(name, known)}")


def misspelt(names: Iterable[str], known: Collection[str]) -> Iterator[Violation]:
    """A sentence for each of `names` that is not known but almost reads like one that is."""
    for name in sorted(set(names) - set(known)):
        if nearest := _nearest(name, known):
            yield Violation(field=name, description=f"is no setting{nearest}")


def _nearest(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.85)
    return f"; did you mean {found[0]}?" if found else ""
