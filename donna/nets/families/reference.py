"""The reference's own block, weights copied: NSR 0 by definition."""

from __future__ import annotations

import copy

from torch import nn

from donna.nets.families.family import Family, Place


def _build(place: Place) -> nn.Module:
    if place.reference_block is None:
        raise place.misfit("there is no reference block to copy")
    return copy.deepcopy(place.reference_block)


FAMILY = Family(
    name="reference", about="the reference's own block", parameters=(), build=_build, trained=False
)
