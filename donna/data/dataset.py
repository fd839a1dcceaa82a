"""A loaded dataset and its four parts, as deterministic batches of tensors.

Shapes: images_BCHW float32, normalised; labels_B int64.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from donna.data import augment as augmentations
from donna.data.description import PARTS, Description
from donna.data.registry import provider
from donna.data.source import Source
from donna.data.split import split_rows
from donna.errors import FailedPrecondition, InvalidArgument

if TYPE_CHECKING:
    from torch import Tensor


class Part:
    """One part of a dataset: `rows` of its source. `len(part)` is its number of images."""

    def __init__(self, dataset: Dataset, name: str, rows: np.ndarray) -> None:
        self.dataset, self.name, self.rows = dataset, name, rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> np.ndarray:
        """(len,) int64 labels, in the order of `rows`."""
        return self.dataset.source.labels[self.rows]

    def batches(
        self,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        *,
        augment: bool = False,
        drop_last: bool = False,
        share: tuple[int, int] = (0, 1),
        first: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """(images_BCHW, labels_B) until every image was given once; the last batch may be smaller.

        Without a seed the images come in the order of the rows. With one, the order and the
        augmentations are a function of (seed, epoch) alone. `drop_last` leaves out a smaller last batch
        (unless it is the only one), for normalisation layers that cannot see one image alone.
        `share` (r, n) gives every n-th image of each batch, from the r-th: process r of n. `first` leaves out so many
        batches, of which no image is read.
        """
        if augment and seed is None:
            raise ValueError("augmented batches need a seed")
        rank, size = share
        found = self.positions(batch_size, seed, epoch, drop_last=drop_last)
        for i, positions in enumerate(found[first:], first):
            rng = np.random.default_rng([seed or 0, epoch, i, 0xA06 + rank]) if augment else None
            yield self.dataset.read(self.rows[positions[rank::size]], rng)

    def positions(
        self, batch_size: int, seed: int | None = None, epoch: int = 0, *, drop_last: bool = False
    ) -> list[np.ndarray]:
        """For each batch that `batches` gives, where its images are in this part: (B,) in 0..len-1."""
        order = np.arange(len(self.rows))
        if seed is not None:
            order = np.random.default_rng([seed, epoch]).permutation(order)
        whole = len(order) - len(order) % batch_size
        stop = whole if drop_last and whole else len(order)
        return [order[start : start + batch_size] for start in range(0, stop, batch_size)]


class Dataset:
    """A checked description over an opened source."""

    def __init__(self, description: Description, source: Source) -> None:
        self.description, self.source = description, source
        self.input_shape: tuple[int, int, int] = source.input_shape
        self.class_names: tuple[str, ...] = source.class_names
        self.normalisation = description.normalisation or source.normalisation
        self.normalisation.check(self.input_shape[0])
        self._rows = split_rows(source.labels, description.sizes, description.seed, source.test_rows)
        self._check_classes()

    @property
    def num_classes(self) -> int:
        """The number of classes K; labels are 0..K-1."""
        return len(self.class_names)

    @cached_property
    def identity(self) -> str:
        """sha256 in hex of everything that decides the batches: description, rows, labels, files."""
        said = {**self.describe(), "source": self.source.identity}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """The description with every default written out, and shares as counts."""
        counts = {name: len(rows) for name, rows in self._rows.items()}
        described = self.description.to_dict()
        return {**described, "split": {**described["split"], **counts}}

    def split(self, name: str) -> Part:
        """The part of that name; `test` is read by nobody who does not ask for it here.

        Raises InvalidArgument for a name that is no part, and for a part that is empty.
        """
        if name not in PARTS:
            raise InvalidArgument.of("split", f"{name!r} is not a part; the parts are {', '.join(PARTS)}")
        if not len(self._rows[name]):
            raise InvalidArgument.of(f"dataset.split.{name}", "is empty but asked for; give it images")
        return Part(self, name, self._rows[name])

    def read(self, rows: np.ndarray, rng: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The images and labels of `rows`, augmented when there is a generator."""
        import torch

        images = self.source.images(rows)
        if rng is not None:
            images = augmentations.apply(self.description.augment, images, rng)
        normalised = np.ascontiguousarray(self.normalisation.apply(images), dtype=np.float32)
        return torch.from_numpy(normalised), torch.from_numpy(self.source.labels[rows])

    def _check_classes(self) -> None:
        seen = set(np.unique(self.source.labels[self._rows["training"]]).tolist())
        for label, name in enumerate(self.class_names):
            if label not in seen:
                raise InvalidArgument.of(
                    "dataset.split.training", f"class {label} ({name!r}) has no image in the training part"
                )


def check_identity(dataset: Dataset, expected: str | None) -> None:
    """Raises FailedPrecondition unless the data has the identity that it had before (None: nobody knows)."""
    if expected is not None and dataset.identity != expected:
        raise FailedPrecondition(
            f"the images or labels of {dataset.description.provider} are not what they were when this was asked for; "
            "ask again",
            reason="DATA_CHANGED",
        )


def check(raw: object) -> Description:
    """Checks a description as far as can be without reading data, and returns it with its defaults.

    Raises InvalidArgument naming the wrong field.
    """
    return Description.parse(raw)


def load(raw: Mapping[str, Any], *, root: Path | str | None = None) -> Dataset:
    """Opens the dataset of a description; `root` is the folder that named files are looked for in.

    Raises InvalidArgument naming the wrong field (or the row and column of a file), NotFound for a
    dataset that the data root does not have, FailedPrecondition when there is no data root.
    """
    description = check(raw)
    source = provider(description.provider).open(description.arguments, Path(root) if root else None)
    return Dataset(description, source)
