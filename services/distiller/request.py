"""What a block library is made from, as a checked record: reference, data, the options of each block, recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from donna.errors import DonnaError, InvalidArgument, Violation
from donna.nets import families
from donna.space import Option
from services.distiller.recipe import Recipe

MAX_BLOCKS = 256
MAX_OPTIONS = 10_000


@dataclass(frozen=True, kw_only=True)
class BlockSpace:
    """The options of one searchable block, complete and in the order asked."""

    name: str
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """`reference` (provider, arguments, weights: sha256 or None, provenance) and `dataset` are descriptions;
    `identity` is that of the data when the request was admitted, None before."""

    reference: Mapping[str, Any]
    dataset: Mapping[str, Any]
    blocks: tuple[BlockSpace, ...]
    recipe: Recipe
    identity: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The blocks' names, in order."""
        return tuple(block.name for block in self.blocks)

    @property
    def options(self) -> tuple[tuple[Option, ...], ...]:
        """The options of each block."""
        return tuple(block.options for block in self.blocks)

    def to_dict(self) -> dict[str, Any]:
        """JSON; `parse` is the inverse."""
        return {
            "reference": dict(self.reference),
            "dataset": dict(self.dataset),
            "blocks": [
                {"name": block.name, "options": [str(option) for option in block.options]}
                for block in self.blocks
            ],
            "recipe": self.recipe.to_dict(),
            "identity": self.identity,
        }

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Request:
        """From JSON, with defaults of options and recipe filled in.

        Raises InvalidArgument naming every wrong block, option and recipe field at once. Reference and dataset are
        descriptions that donna.nets and donna.data check.
        """
        problems: list[Violation] = []
        blocks = tuple(_block(block, f"blocks[{n}]", problems) for n, block in enumerate(raw["blocks"]))
        if not 1 <= len(blocks) <= MAX_BLOCKS:
            problems.append(
                Violation(field="blocks", description=f"must be 1 to {MAX_BLOCKS}, got {len(blocks)}")
            )
        recipe = Recipe()
        try:
            recipe = Recipe.parse(raw.get("recipe") or {})
        except InvalidArgument as error:
            problems.extend(error.violations)
        if problems:
            raise InvalidArgument.all_of(problems)
        return cls(
            reference=raw["reference"],
            dataset=raw["dataset"],
            blocks=blocks,
            recipe=recipe,
            identity=raw.get("identity"),
        )


def _block(raw: Mapping[str, Any], field: str, problems: list[Violation]) -> BlockSpace:
    texts: Sequence[str] = raw["options"]
    if not 1 <= len(texts) <= MAX_OPTIONS:
        problems.append(
            Violation(field=f"{field}.options", description=f"must be 1 to {MAX_OPTIONS}, got {len(texts)}")
        )
    options: dict[Option, int] = {}
    for m, text in enumerate(texts):
        here = f"{field}.options[{m}]"
        try:
            option = families.complete(_parse(text, here), here)
        except DonnaError as error:
            problems.extend(error.violations)
            continue
        if option in options:
            problems.append(Violation(field=here, description=f"{text!r} repeats options[{options[option]}]"))
        options.setdefault(option, m)
    return BlockSpace(name=raw["name"], options=tuple(options))


def _parse(text: str, field: str) -> Option:
    try:
        return Option.parse(text)
    except InvalidArgument as error:
        raise InvalidArgument.of(field, error.violations[0].description) from None
