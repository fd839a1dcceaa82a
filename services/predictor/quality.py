"""The regression's inputs: block qualities read from a library, and the scale they are put on.

A scale belongs to one quality ("nsr", or an extra one of the library's entries). Its centre and spread
are taken per block over all the library's entries, not over the samples: a quality then means the same
whichever samples there are, leaving one out changes nothing else, and under uniform sampling of
architectures the inputs have mean 0 and variance 1.

Shapes: A architectures, N blocks, M_n options, K qualities, D = K N inputs (quality by quality).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from donna.errors import FailedPrecondition
from donna.space import Library
from donna.space.library import NSR


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One quality: centre and spread of each block, and the range that the samples cover."""

    name: str
    centre_N: tuple[float, ...]
    spread_N: tuple[float, ...]
    low_N: tuple[float, ...]
    high_N: tuple[float, ...]

    @classmethod
    def of(cls, library: Library, name: str, choices_SN: np.ndarray) -> Scale:
        """The scale of a quality that every entry has, for a fit on these samples."""
        entries = [block_qualities(library, n, name) for n in range(len(library.blocks))]
        seen_SN = library.qualities(choices_SN, name)
        return cls(
            name=name,
            centre_N=tuple(float(q.mean()) for q in entries),
            spread_N=tuple(_spread(q) for q in entries),
            low_N=tuple(seen_SN.min(axis=0).tolist()),
            high_N=tuple(seen_SN.max(axis=0).tolist()),
        )


def quality_names(library: Library) -> tuple[str, ...]:
    """ "nsr" and every extra quality that all entries of the library have, by name."""
    entries = [entry for block in library.blocks for entry in block.entries]
    common = set.intersection(*(set(entry.qualities) for entry in entries))
    return (NSR, *sorted(common - {NSR}))


def block_qualities(library: Library, n: int, name: str) -> np.ndarray:
    """(M_n,) float64 qualities of block n's entries; NaN for an entry without that quality."""
    return library.quality_table(name)[n, : len(library.blocks[n].entries)]


def standardised_table(library: Library, scales: Sequence[Scale], n: int) -> np.ndarray:
    """(M_n, K) standardised qualities of block n's entries.

    Raises FailedPrecondition when an entry lacks one of the qualities.
    """
    columns = []
    for scale in scales:
        q_M = block_qualities(library, n, scale.name)
        if np.isnan(q_M).any():
            option = library.blocks[n].entries[int(np.argmax(np.isnan(q_M)))].option
            raise FailedPrecondition(
                f"entry {option} of block {library.blocks[n].name!r} has no quality {scale.name!r}, "
                "which the predictor was fitted on",
                reason="QUALITY_MISSING",
            )
        columns.append((q_M - scale.centre_N[n]) / scale.spread_N[n])
    return np.stack(columns, axis=1)


def unseen_table(library: Library, scales: Sequence[Scale], n: int) -> np.ndarray:
    """(M_n,) bool: whether an entry of block n has a quality outside the range of the samples."""
    unseen_M = np.zeros(len(library.blocks[n].entries), dtype=bool)
    for scale in scales:
        q_M = block_qualities(library, n, scale.name)
        unseen_M |= (q_M < scale.low_N[n]) | (q_M > scale.high_N[n])
    return unseen_M


def inputs(library: Library, scales: Sequence[Scale], choices_AN: np.ndarray) -> np.ndarray:
    """(A, D) standardised inputs of architectures. Raises as `standardised_table` does."""
    tables = [standardised_table(library, scales, n) for n in range(len(library.blocks))]
    Z_ANK = np.stack([table[choices_AN[:, n]] for n, table in enumerate(tables)], axis=1)
    return Z_ANK.transpose(0, 2, 1).reshape(len(choices_AN), -1)


def _spread(q_M: np.ndarray) -> float:
    """Standard deviation; 1 where all entries are equal, so that their input is 0 and not 0 / 0."""
    spread = float(q_M.std())
    return spread if spread > 1e-12 * max(1.0, float(np.abs(q_M).max())) else 1.0
