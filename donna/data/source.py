"""What a dataset provider gives: labelled images by row number, undecoded until they are asked for.

Shapes: S rows in all, B rows asked for, images (C, H, W).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from donna.data.normalisation import Normalisation


class Source(Protocol):
    """Labelled images in one row numbering 0..S-1. Labels are in memory, images may be anywhere."""

    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    labels: np.ndarray
    """(S,) int64, each in 0..len(class_names)-1."""
    test_rows: np.ndarray | None
    """Rows that the publisher of the data set apart for testing; None where there is no such part."""
    normalisation: Normalisation
    """Used unless the description gives another."""
    identity: str
    """Changes whenever the rows or their labels do; part of every cache key made from this data."""

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, C, H, W), uint8 in 0..255 or float32 in [0, 1]. Raises InvalidArgument naming a row
        that cannot be read as an image of `input_shape`."""
        ...


class Provider(Protocol):
    """A registered provider: two functions in a module (or any object with both)."""

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raises InvalidArgument naming the wrong argument; reads no data."""
        ...

    def open(self, arguments: Mapping[str, Any], root: Path | None) -> Source:
        """Opens the data. `root` is the data root of this machine, the only folder files are read from."""
        ...
