"""The registry of families, and the one way from an option to a block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from donna.nets import arguments
from donna.nets.families.family import Family, Place
from donna.nets.registry import Registry
from donna.space import Option


def _builtin() -> None:
    from donna.nets.families import (
        convnext,
        fused_inverted_residual,
        inverted_residual,
        reference,
        residual,
        skip,
        transformer,
    )

    families = (
        inverted_residual.FAMILY,
        fused_inverted_residual.FAMILY,
        residual.BOTTLENECK,
        residual.BASIC,
        convnext.FAMILY,
        transformer.FAMILY,
        skip.FAMILY,
        reference.FAMILY,
    )
    for family in families:
        REGISTRY.register(family.name, family)


REGISTRY: Registry[Family] = Registry(kind="block family", group="donna.families", builtin=_builtin)


def register(family: Family) -> Family:
    """Adds a family; raises AlreadyExists when its name is taken."""
    return REGISTRY.register(family.name, family)


def complete(option: Option, field: str = "option") -> Option:
    """The option with every default filled in: equal blocks have equal completed options.

    Raises InvalidArgument naming `<field>.family` or `<field>.<parameter>`.
    """
    family = REGISTRY.get(option.family, f"{field}.family")
    return Option.of(family.name, arguments.check(family.parameters, dict(option.parameters), field))


def build(
    option: Option,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    reference_block: nn.Module | None = None,
    field: str = "option",
) -> nn.Module:
    """The block of `option` for (B, *input_shape) to (B, *output_shape), stride deduced from the shapes.

    Initial weights come from torch's global generator. Raises InvalidArgument naming `<field>.family`,
    `<field>.<parameter>`, or `<field>` where the family cannot fill the place.
    """
    family = REGISTRY.get(option.family, f"{field}.family")
    values = arguments.check(family.parameters, dict(option.parameters), field)
    place = Place(
        input_shape=tuple(input_shape),
        output_shape=tuple(output_shape),
        reference_block=reference_block,
        field=field,
    )
    return family.build(place, **values)
