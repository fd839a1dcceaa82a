"""Parquet files with encoded images, as Hugging Face writes them: a column `img` or `image` that is a
struct {bytes, path} (or plain bytes), and an integer column `label`.

Arguments: `train` names the file in the data root; `test` one that the publisher set apart (optional);
`image_size` scales to one size (without it all images must have the size of the first);
`class_names` lists the classes where the schema metadata does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from donna.data import data_root
from donna.data.decoded import Decoded
from donna.data.images import decode
from donna.data.normalisation import IMAGENET
from donna.errors import InvalidArgument

if TYPE_CHECKING:
    import pyarrow as pa

_KNOWN = ("train", "test", "image_size", "class_names")
_IMAGE_COLUMNS = ("img", "image")
UNFOLDS_AT_MOST, SPARE_BYTES, BATCH_ROWS = 8, 64 << 20, 256
"""Encoded images hardly shrink when they are stored: a file that unfolds into more than 8 times its size and 64 MiB is
a bomb."""


class Parquet:
    """The rows of `train`, then those of `test`. Encoded bytes are held in memory, decoded when asked for."""

    normalisation = IMAGENET

    def __init__(self, tables: list[File], size: tuple[int, int] | None, names: list[str] | None) -> None:
        self._tables = tables
        self._offsets = np.cumsum([0, *(len(table.labels) for table in tables)])
        self.labels = np.concatenate([table.labels for table in tables])
        found = names or tables[0].class_names() or [str(k) for k in range(int(self.labels.max()) + 1)]
        self.class_names = tuple(found)
        for table in tables:
            table.check_labels(len(self.class_names))
        self.test_rows = np.arange(self._offsets[1], self._offsets[2]) if len(tables) > 1 else None
        self._size = size or tables[0].decode(0, None).shape[1:]
        self.input_shape = (3, *self._size)
        said = [[table.identity for table in tables], list(self.input_shape), list(self.class_names)]
        self.identity = hashlib.sha256(json.dumps(said).encode()).hexdigest()
        self._resize = size is not None
        self._decoded = Decoded(self.input_shape, len(self.labels), self._one)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) uint8. Raises InvalidArgument naming file, row and column of a corrupt image."""
        return self._decoded.images(rows)

    def _one(self, row: int) -> np.ndarray:
        which = int(np.searchsorted(self._offsets, row, side="right")) - 1
        table, inside = self._tables[which], row - int(self._offsets[which])
        image = table.decode(inside, self._size if self._resize else None)
        if image.shape[1:] != tuple(self._size):
            h, w = self._size
            raise InvalidArgument.of(
                f"dataset.arguments.{table.key}",
                f"row {inside} of column {table.column} is {image.shape[1]} x {image.shape[2]} pixels, the "
                f"first image is {h} x {w}; give image_size to scale them",
            )
        return image


class File:
    """One Parquet file: its labels, its encoded images, and the words for what is wrong with it."""

    def __init__(self, path: Path, key: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.key = key
        try:
            with pq.ParquetFile(path) as file:
                self.schema = file.schema_arrow
                self.column = self._image_column()
                table = self._read(file, path.stat().st_size)
        except (pa.ArrowException, OSError) as error:
            raise self._wrong(f"is not a readable Parquet file ({type(error).__name__})") from error
        if not table.num_rows:
            raise self._wrong("has no rows")
        self._encoded = table.column(self.column).combine_chunks()
        if pa.types.is_struct(self._encoded.type):
            self._encoded = self._encoded.field("bytes")
        self.labels = self._labels(table.column("label"))
        with path.open("rb") as raw:
            self.identity = hashlib.file_digest(raw, "sha256").hexdigest()

    def _read(self, file: Any, size_bytes: int) -> pa.Table:
        import pyarrow as pa

        columns = [self.column, "label"]
        most, taken, batches = UNFOLDS_AT_MOST * size_bytes + SPARE_BYTES, _claimed_bytes(file, columns), []
        # One page can unfold into gigabytes before there is a batch to look at; a file that claims less is found below.
        if taken > most:
            raise self._wrong(f"has {size_bytes} bytes and claims to unfold into {taken}, more than {most}")
        taken = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            taken += batch.nbytes
            if taken > most:
                raise self._wrong(f"has {size_bytes} bytes and unfolds into more than {most}")
            batches.append(batch)
        return pa.Table.from_batches(batches, pa.schema([self.schema.field(name) for name in columns]))

    def decode(self, row: int, size: tuple[int, int] | None) -> np.ndarray:
        """(3, H, W) uint8; raises InvalidArgument naming the row."""
        data = self._encoded[row].as_py()
        try:
            if data is None:
                raise ValueError("is empty")
            return decode(data, size)
        except ValueError as error:
            raise self._wrong(f"row {row} of column {self.column} {error}") from error

    def check_labels(self, num_classes: int) -> None:
        """Raises InvalidArgument naming the first row whose label is no class."""
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= num_classes))
        if len(wrong):
            row = int(wrong[0])
            raise self._wrong(
                f"row {row} of column label is {self.labels[row]}, the classes are 0..{num_classes - 1}"
            )

    def class_names(self) -> list[str] | None:
        """From the metadata that Hugging Face writes into the schema; None where there is none."""
        try:
            said = json.loads((self.schema.metadata or {})[b"huggingface"])
            names = said["info"]["features"]["label"]["names"]
            return [str(name) for name in names]
        except (KeyError, TypeError, ValueError, RecursionError):
            return None

    def _image_column(self) -> str:
        import pyarrow as pa

        names = self.schema.names
        column = next((name for name in _IMAGE_COLUMNS if name in names), None)
        if column is None or "label" not in names:
            missing = "label" if column else "img (or image)"
            raise self._wrong(f"has no column {missing}; its columns are {', '.join(names)}")
        kind = self.schema.field(column).type
        if pa.types.is_struct(kind):
            kind = kind.field("bytes").type if kind.get_field_index("bytes") >= 0 else None
        if kind is None or not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise self._wrong(
                f"column {column} must hold encoded images (bytes or a struct with bytes), it is "
                f"{self.schema.field(column).type}"
            )
        return column

    def _labels(self, column: pa.ChunkedArray) -> np.ndarray:
        import pyarrow as pa

        if not pa.types.is_integer(column.type):
            raise self._wrong(f"column label must be integers, it is {column.type}")
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy())[0])
            raise self._wrong(f"row {row} of column label is empty")
        return column.to_numpy().astype(np.int64)

    def _wrong(self, what: str) -> InvalidArgument:
        return InvalidArgument.of(f"dataset.arguments.{self.key}", what)


def _claimed_bytes(file: Any, columns: list[str]) -> int:
    """What the pages of these columns unfold into, as the file itself says."""
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    chunks = (group.column(i) for group in groups for i in range(group.num_columns))
    return sum(
        max(0, chunk.total_uncompressed_size)
        for chunk in chunks
        if chunk.path_in_schema.partition(".")[0] in columns
    )


def check(arguments: Mapping[str, Any]) -> None:
    """Raises InvalidArgument naming the wrong argument; no file is read."""
    data_root.check_known(arguments, _KNOWN, "parquet")
    data_root.check_name(arguments, "train")
    data_root.check_name(arguments, "test", required=False)
    data_root.check_image_size(arguments)
    names = arguments.get("class_names")
    if names is not None and not (
        isinstance(names, list) and names and all(isinstance(n, str) for n in names)
    ):
        raise InvalidArgument.of("dataset.arguments.class_names", f"must be a list of names, got {names!r}")


def open(arguments: Mapping[str, Any], root: Path | None) -> Parquet:
    """Opens the named files. Raises NotFound, or InvalidArgument naming what is wrong with a file."""
    folder = data_root.require_root(root, "parquet")
    keys = [key for key in ("train", "test") if arguments.get(key) is not None]
    paths = [data_root.find(folder, arguments[key], key, suffix=".parquet") for key in keys]
    files = [File(path, key) for path, key in zip(paths, keys, strict=True)]
    return Parquet(files, data_root.check_image_size(arguments), arguments.get("class_names"))
