"""Decoded images kept in memory while they fit, so that an image file is decoded once, not once an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

CACHE_BYTES = 1 << 30
_DECODERS = 4


class Decoded:
    """Rows of pixels from `decode(row) -> (C, H, W) uint8`, decoded by a few threads (the decoders leave
    the interpreter lock) and kept when all S images together take at most `cache_bytes`."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        size: int,
        decode: Callable[[int], np.ndarray],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._shape, self._decode = shape, decode
        fits = size * int(np.prod(shape)) <= cache_bytes
        self._pixels = np.empty((size, *shape), dtype=np.uint8) if fits else None
        self._known = np.zeros(size if fits else 0, dtype=bool)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, C, H, W) uint8; what `decode` raises is raised."""
        if self._pixels is None:
            return np.stack(self._all([int(row) for row in rows]))
        missing = [int(row) for row in np.unique(rows[~self._known[rows]])]
        for row, image in zip(missing, self._all(missing), strict=True):
            self._pixels[row] = image
            self._known[row] = True
        return self._pixels[rows]

    def _all(self, rows: Sequence[int]) -> list[np.ndarray]:
        if len(rows) < 2 * _DECODERS:
            return [self._decode(row) for row in rows]
        with ThreadPoolExecutor(_DECODERS) as pool:
            return list(pool.map(self._decode, rows, chunksize=16))
