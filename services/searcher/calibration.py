"""Which networks a latency table is measured on, and the table that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from donna.errors import FailedPrecondition
from services.searcher.latency_table import LatencyTable, TableError, swaps, table_of
from services.searcher.operators import uniform_sample

HOLDOUT = 8

Measure = Callable[[np.ndarray], np.ndarray]
"""(A, N) choices -> (A,) milliseconds on one device, NaN where it cannot run."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The networks to measure: `swapped`, `base` (N,) with single options swapped in, for the blocks; `calibration` to
    correct their sum, `holdout` to judge the result. Rows (., N)."""

    num_options: tuple[int, ...]
    base: np.ndarray
    calibration: np.ndarray
    holdout: np.ndarray

    @classmethod
    def of(cls, macs: np.ndarray, num_options: Sequence[int], seed: int) -> Plan:
        """`macs` (N, M) padded with NaN: the base network has the option of median multiply-adds everywhere."""
        counts = np.asarray(num_options)
        order = np.argsort(macs, axis=1, kind="stable")
        base = order[np.arange(len(counts)), (counts - 1) // 2].astype(np.int64)
        generator = np.random.default_rng([seed, 0xCA11B])
        whole = uniform_sample(calibration_size(len(counts)) + HOLDOUT, counts, generator)
        return cls(
            num_options=tuple(num_options),
            base=base,
            calibration=whole[HOLDOUT:],
            holdout=whole[:HOLDOUT],
        )

    @cached_property
    def swapped(self) -> np.ndarray:
        """(1 + sum(M_n - 1), N), the base first."""
        return swaps(self.base, self.num_options)

    @property
    def size(self) -> int:
        """Measurements at most, for each device."""
        swapped = 1 + sum(count - 1 for count in self.num_options)
        return swapped + len(self.calibration) + len(self.holdout)

    def table(self, measure: Measure, device: str, extra: np.ndarray) -> tuple[LatencyTable, TableError]:
        """The corrected table of a device, and its error on the holdout.

        `extra` (E, N) are more measured networks to correct by, e.g. fronts. Raises FailedPrecondition when the
        device cannot run the base network.
        """
        swapped = measure(self.swapped)
        if np.isnan(swapped[0]):
            base = "-".join(map(str, self.base))
            raise FailedPrecondition(
                f"{device} cannot run network {base}, on which its latency table would rest; "
                "use latency_mode MEASURED",
                reason="TABLE_IMPOSSIBLE",
            )
        known = np.concatenate([self.calibration, extra.reshape(-1, self.calibration.shape[1])])
        plain = table_of(self.swapped, swapped, self.num_options)
        corrected = plain.corrected(known, measure(known))
        return corrected, corrected.error(self.holdout, measure(self.holdout), num_calibration=len(known))


def calibration_size(num_blocks: int) -> int:
    """Whole networks for a correction with one coefficient for each block: three for each, at least 12."""
    return max(12, 3 * num_blocks)
