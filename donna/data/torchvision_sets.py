"""Datasets that torchvision knows, in the layout it downloads them to, under the data root.

Arguments: `name` is one of cifar10, cifar100, fashion_mnist, kmnist, mnist; `download` (false) lets
torchvision fetch it into the data root, which it checks by its own hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from donna.data import data_root
from donna.data.normalisation import Normalisation
from donna.errors import InvalidArgument, NotFound

_KNOWN = ("name", "download")


@dataclass(frozen=True, kw_only=True)
class _Set:
    factory: str
    normalisation: Normalisation


_CIFAR10 = Normalisation(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
_CIFAR100 = Normalisation(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
_SETS = {
    "cifar10": _Set(factory="CIFAR10", normalisation=_CIFAR10),
    "cifar100": _Set(factory="CIFAR100", normalisation=_CIFAR100),
    "fashion_mnist": _Set(factory="FashionMNIST", normalisation=Normalisation(mean=(0.2860,), std=(0.3530,))),
    "kmnist": _Set(factory="KMNIST", normalisation=Normalisation(mean=(0.1918,), std=(0.3483,))),
    "mnist": _Set(factory="MNIST", normalisation=Normalisation(mean=(0.1307,), std=(0.3081,))),
}


class TorchvisionSet:
    """The published training rows, then the published test rows, all in memory as uint8."""

    def __init__(self, name: str, train: Any, test: Any) -> None:
        self._pixels = [_pixels(train.data), _pixels(test.data)]
        self._num_train = len(self._pixels[0])
        labels = [np.asarray(part.targets, dtype=np.int64) for part in (train, test)]
        self.labels = np.concatenate(labels)
        self.class_names = tuple(str(c) for c in train.classes)
        self.test_rows = np.arange(self._num_train, len(self.labels))
        self.input_shape = self._pixels[0].shape[1:]
        self.normalisation = _SETS[name].normalisation
        whole = hashlib.sha256(name.encode() + self.labels.tobytes())
        for pixels in self._pixels:
            whole.update(np.ascontiguousarray(pixels).data)
        self.identity = whole.hexdigest()

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, C, H, W) uint8."""
        out = np.empty((len(rows), *self.input_shape), dtype=np.uint8)
        test = rows >= self._num_train
        out[~test] = self._pixels[0][rows[~test]]
        out[test] = self._pixels[1][rows[test] - self._num_train]
        return out


def _pixels(data: Any) -> np.ndarray:
    """(S, C, H, W) from torchvision's (S, H, W, 3) array or (S, H, W) tensor."""
    images = np.asarray(data)
    return images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def check(arguments: Mapping[str, Any]) -> None:
    """Raises InvalidArgument naming the wrong argument; no file is read."""
    data_root.check_known(arguments, _KNOWN, "torchvision")
    if arguments.get("name") not in _SETS:
        raise InvalidArgument.of(
            "dataset.arguments.name", f"{arguments.get('name')!r} is not one of {', '.join(_SETS)}"
        )
    if not isinstance(arguments.get("download", False), bool):
        raise InvalidArgument.of(
            "dataset.arguments.download", f"must be true or false, got {arguments['download']!r}"
        )


def open(arguments: Mapping[str, Any], root: Path | None) -> TorchvisionSet:
    """Opens both published parts. Raises NotFound when the data root does not have them."""
    from torchvision import datasets

    folder = data_root.require_root(root, "torchvision")
    name = arguments["name"]
    factory = getattr(datasets, _SETS[name].factory)
    try:
        download = bool(arguments.get("download", False))
        train, test = (factory(str(folder), train=part, download=download) for part in (True, False))
    except RuntimeError as error:
        raise NotFound(
            f"dataset.arguments.name: the data root has no whole copy of {name}; "
            "set download: true to let torchvision fetch it",
            reason="NO_SUCH_DATASET",
        ) from error
    return TorchvisionSet(name, train, test)
