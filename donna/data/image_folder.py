"""A folder of class folders: `<name>/<class>/<image>`, and optionally a second one for testing.

Arguments: `train` names the folder in the data root; `test` one that was set apart (optional);
`image_size` is required, since files come in all sizes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from donna.data import data_root
from donna.data.decoded import Decoded
from donna.data.images import decode
from donna.data.normalisation import IMAGENET
from donna.errors import InvalidArgument

_KNOWN = ("train", "test", "image_size")
_END_BYTES, _READ_AT_ONCE, _ASKED_AT_ONCE = 4096, 16, 10_000
_UNCOMPRESSED = (".bmp", ".ppm", ".pgm", ".tif", ".tiff")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", *_UNCOMPRESSED)


class ImageFolder:
    """The images of `train`, then those of `test`, each sorted by class and file name."""

    normalisation = IMAGENET

    def __init__(self, folders: dict[str, Path], size: tuple[int, int], root: Path) -> None:
        self.class_names = tuple(_classes(folders["train"], "train", root))
        self._files: list[tuple[str, Path]] = []
        labels: list[int] = []
        counts: list[int] = []
        for key, folder in folders.items():
            if unknown := set(_classes(folder, key, root)) - set(self.class_names):
                raise InvalidArgument.of(
                    f"dataset.arguments.{key}", f"has a class {min(unknown)!r} that train does not have"
                )
            start = len(labels)
            for label, name in enumerate(self.class_names):
                found = (p for p in (folder / name).glob("*") if p.suffix.lower() in _SUFFIXES)
                files = sorted(data_root.check_inside(root, path, key) for path in found)
                self._files += [(key, path) for path in files]
                labels += [label] * len(files)
            counts.append(len(labels) - start)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.test_rows = np.arange(counts[0], len(labels)) if len(counts) > 1 else None
        self.input_shape = (3, *size)
        self.identity = self._identify()
        self._decoded = Decoded(self.input_shape, len(labels), self._one)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) uint8. Raises InvalidArgument naming a file that is no image."""
        return self._decoded.images(rows)

    def _identify(self) -> str:
        """Names, and what tells one image from another without reading all of them, which may be hundreds of gigabytes:
        sizes and both ends. Where a format compresses, an image that is written anew hardly ever keeps all three;
        where it does not, a changed pixel changes nothing but itself, and all of the file counts."""
        whole = hashlib.sha256(str(self.input_shape).encode())
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
            for start in range(0, len(self._files), _ASKED_AT_ONCE):
                some = self._files[start : start + _ASKED_AT_ONCE]
                for (key, path), ends in zip(some, pool.map(self._ends, some), strict=True):
                    whole.update(f"\n{key}/{path.parent.name}/{path.name}:".encode() + ends)
        return whole.hexdigest()

    @staticmethod
    def _ends(file: tuple[str, Path]) -> bytes:
        key, path = file
        try:
            with path.open("rb") as opened:
                head = opened.read(_END_BYTES)
                size = opened.seek(0, os.SEEK_END)
                opened.seek(max(len(head), size - _END_BYTES))
                ends = size.to_bytes(8) + head + opened.read()
                if path.suffix.lower() not in _UNCOMPRESSED or size <= 2 * _END_BYTES:
                    return ends
                opened.seek(0)
                return ends + hashlib.file_digest(opened, "sha256").digest()
        except OSError as error:
            said = f"{path.parent.name}/{path.name} cannot be read: {error.strerror}"
            raise InvalidArgument.of(f"dataset.arguments.{key}", said) from error

    def _one(self, row: int) -> np.ndarray:
        key, path = self._files[row]
        try:
            with path.open("rb") as file:
                return decode(file, (self.input_shape[1], self.input_shape[2]))
        except (OSError, ValueError) as error:
            what = str(error) if isinstance(error, ValueError) else "cannot be read"
            raise InvalidArgument.of(
                f"dataset.arguments.{key}", f"row {row}, {path.parent.name}/{path.name}, {what}"
            ) from error


def _classes(folder: Path, key: str, root: Path) -> list[str]:
    found = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    names = sorted(data_root.check_inside(root, path, key).name for path in found)
    if not names:
        raise InvalidArgument.of(f"dataset.arguments.{key}", "must hold a folder for each class, it has none")
    return names


def check(arguments: Mapping[str, Any]) -> None:
    """Raises InvalidArgument naming the wrong argument; no folder is read."""
    data_root.check_known(arguments, _KNOWN, "image_folder")
    data_root.check_name(arguments, "train")
    data_root.check_name(arguments, "test", required=False)
    if data_root.check_image_size(arguments) is None:
        raise InvalidArgument.of("dataset.arguments.image_size", "is required: files come in all sizes")


def open(arguments: Mapping[str, Any], root: Path | None) -> ImageFolder:
    """Lists the named folders. Raises NotFound, or InvalidArgument naming what is wrong."""
    base = data_root.require_root(root, "image_folder")
    keys = [key for key in ("train", "test") if arguments.get(key) is not None]
    folders = {key: data_root.find(base, arguments[key], key) for key in keys}
    for key, folder in folders.items():
        if not folder.is_dir():
            raise InvalidArgument.of(f"dataset.arguments.{key}", f"{folder.name!r} is a file, not a folder")
    size = data_root.check_image_size(arguments)
    assert size is not None  # noqa: S101 - check() required it
    return ImageFolder(folders, size, base)
