"""scikit-learn's bundled handwritten digits: 1,797 grey images of 1x8x8 in 10 classes, no download.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, CC BY 4.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from donna.data.normalisation import Normalisation
from donna.errors import InvalidArgument

_LEVELS = 16.0


class Digits:
    """All images in memory, (1797, 1, 8, 8) float32 in [0, 1]."""

    input_shape = (1, 8, 8)
    class_names = tuple("0123456789")
    test_rows = None
    normalisation = Normalisation(mean=(0.3053,), std=(0.3763,))

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self._images = images
        self.labels = labels
        self.identity = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, 1, 8, 8) float32 in [0, 1]."""
        return self._images[rows]


def check(arguments: Mapping[str, Any]) -> None:
    """There are no arguments; raises InvalidArgument when there is one."""
    for name in arguments:
        raise InvalidArgument.of(f"dataset.arguments.{name}", "is not known; digits takes no arguments")


@cache
def _digits() -> Digits:
    images, labels = _read()
    scaled = (images / _LEVELS).astype(np.float32).reshape(-1, *Digits.input_shape)
    return Digits(scaled, labels.astype(np.int64))


def _read() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 64) pixels in 0..16 and (1797,) labels, as `load_digits` gives them.

    The file is read without importing scikit-learn, which would cost each process over a second and 80 MB;
    where it is not in its usual place, scikit-learn is asked.
    """
    package = find_spec("sklearn")
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1], table[:, -1]
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def open(arguments: Mapping[str, Any], root: Path | None) -> Digits:
    """The bundled digits; `root` is not used."""
    return _digits()
