"""Skip: nothing where the shape stays, and the cheapest change of shape where it does not."""

from __future__ import annotations

from torch import nn

from donna.nets.families.family import Family, Place


def _build(place: Place) -> nn.Module:
    if place.input_shape == place.output_shape:
        return nn.Identity()
    if place.is_sequence and place.input_shape[0] == place.output_shape[0]:
        return nn.Linear(place.input_shape[1], place.output_shape[1])
    strides = place.strides
    layers: list[nn.Module] = []
    if strides != (1, 1):
        # Rounding up keeps a last row or column of odd sizes, as a strided convolution would.
        layers.append(nn.AvgPool2d(strides, strides, ceil_mode=True, count_include_pad=False))
    if place.input_shape[0] != place.output_shape[0]:
        layers.append(nn.Conv2d(place.input_shape[0], place.output_shape[0], 1))
    return nn.Sequential(*layers)


FAMILY = Family(
    name="skip",
    about="identity, or pooling and a 1x1 convolution where the shape changes",
    parameters=(),
    build=_build,
)
