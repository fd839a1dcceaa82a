"""The registry of families, and the one way from an option to a block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from donna.nets import arguments
from donna.nets.families.family import Family, Place
from donna.registry import Registry
from donna.space import Option

_HERE = "donna.nets.families"
REGISTRY: Registry[Family] = Registry(
    kind="block family",
    group="donna.families",
    ours={
        "inverted_residual": f"{_HERE}.inverted_residual:FAMILY",
        "fused_inverted_residual": f"{_HERE}.fused_inverted_residual:FAMILY",
        "bottleneck": f"{_HERE}.residual:BOTTLENECK",
        "basic": f"{_HERE}.residual:BASIC",
        "convnext": f"{_HERE}.convnext:FAMILY",
        "transformer": f"{_HERE}.transformer:FAMILY",
        "skip": f"{_HERE}.skip:FAMILY",
        "reference": f"{_HERE}.reference:FAMILY",
    },
)


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
