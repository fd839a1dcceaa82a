"""An architecture is a choice vector: one option index for each searchable block of a library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from donna.errors import InvalidArgument

_TEXT = re.compile(r"\d{1,6}(-\d{1,6}){0,255}")


@dataclass(frozen=True, kw_only=True, order=True)
class Architecture:
    """`choices[n]` is the index of block n's option in its library. The text form is `3-0-11-7`."""

    choices: tuple[int, ...]

    def __str__(self) -> str:
        return "-".join(map(str, self.choices))

    @classmethod
    def parse(cls, text: str, num_options: Sequence[int] | None = None) -> Architecture:
        """The inverse of `str`; with `num_options` (M_n for each block) the choices are checked too.

        Raises InvalidArgument when the text is no architecture, or none of that space.
        """
        if not _TEXT.fullmatch(text):
            raise InvalidArgument.of("architecture", f"must read like 3-0-11-7, got {text[:80]!r}")
        architecture = cls(choices=tuple(int(choice) for choice in text.split("-")))
        if num_options is not None:
            architecture.check(num_options)
        if str(architecture) != text:
            raise InvalidArgument.of(
                "architecture", f"{text[:80]!r} is not canonical; write {str(architecture)[:80]!r}"
            )
        return architecture

    def check(self, num_options: Sequence[int]) -> None:
        """Raises InvalidArgument unless there is one choice in 0..M_n-1 for each of the N blocks."""
        if len(self.choices) != len(num_options):
            raise InvalidArgument.of(
                "architecture",
                f"{self} has {len(self.choices)} choices, the space has {len(num_options)} blocks",
            )
        for n, (choice, count) in enumerate(zip(self.choices, num_options, strict=True)):
            if not 0 <= choice < count:
                raise InvalidArgument.of(
                    "architecture", f"choice {choice} of block {n} is not in 0..{count - 1}"
                )
