"""Which networks a latency table is measured on, and the table that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from donna.errors import FailedPrecondition
from services.searcher.latency_table import LatencyTable, TableError, swaps, table_of
from services.searcher.operators import uniform_sample

HOLDOUT = 8
DRAWS = 20
"""How often a full sample is drawn until enough of it are distinct; in small spaces there are not as many."""

Measure = Callable[[np.ndarray], np.ndarray]
"""(A, N) choices -> (A,) milliseconds on one device, NaN where it cannot run."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The networks to measure: `swapped`, `base` (N,) with single options swapped in, for the blocks; `calibration` to
    correct their sum, `holdout` to judge the result, rows (., N). No network is in two of them. `other` (N,) is another
    base, for swaps that fail."""

    num_options: tuple[int, ...]
    base: np.ndarray
    other: np.ndarray
    calibration: np.ndarray
    holdout: np.ndarray

    @classmethod
    def of(cls, macs: np.ndarray, num_options: Sequence[int], seed: int) -> Plan:
        """`macs` (N, M) padded with NaN: the base network has the option of median multiply-adds everywhere, the other
        one that of the least."""
        counts = np.asarray(num_options)
        order = np.argsort(macs, axis=1, kind="stable")
        base = order[np.arange(len(counts)), (counts - 1) // 2].astype(np.int64)
        whole = _whole_networks(calibration_size(len(counts)) + HOLDOUT, counts, base, seed)
        held_out = min(HOLDOUT, len(whole) // 2)
        return cls(
            num_options=tuple(num_options),
            base=base,
            other=order[:, 0].astype(np.int64),
            calibration=whole[held_out:],
            holdout=whole[:held_out],
        )

    @cached_property
    def swapped(self) -> np.ndarray:
        """(1 + sum(M_n - 1), N), the base first."""
        return swaps(self.base, self.num_options)

    @property
    def size(self) -> int:
        """Measurements on each device, when no swap fails."""
        swapped = 1 + sum(count - 1 for count in self.num_options)
        return swapped + len(self.calibration) + len(self.holdout)

    def table(self, measure: Measure, device: str, extra: np.ndarray) -> tuple[LatencyTable, TableError]:
        """The corrected table of a device, and its error on the holdout.

        `extra` (E, N) are more measured networks to correct by, e.g. fronts; those of the holdout are left out. Raises
        FailedPrecondition when the device cannot run the base network.
        """
        swapped_ms = measure(self.swapped)
        if np.isnan(swapped_ms[0]):
            base = "-".join(map(str, self.base))
            raise FailedPrecondition(
                f"{device} cannot run network {base}, on which its latency table would rest; "
                "use latency_mode MEASURED",
                reason="TABLE_IMPOSSIBLE",
            )
        plain = table_of(self.swapped, swapped_ms, self.num_options)
        plain = self._tried_again(plain, self.swapped[np.isnan(swapped_ms)], measure)
        held_out = set(map(tuple, self.holdout.tolist()))
        more = [row for row in extra.reshape(-1, len(self.base)).tolist() if tuple(row) not in held_out]
        known = np.array([*self.calibration.tolist(), *more], dtype=np.int64).reshape(-1, len(self.base))
        corrected = plain.corrected(known, measure(known))
        return corrected, corrected.error(self.holdout, measure(self.holdout), num_calibration=len(known))

    def _tried_again(self, plain: LatencyTable, failed: np.ndarray, measure: Measure) -> LatencyTable:
        """The table with the options of swaps that failed (F, N) measured in the other base: what failed may have been
        the network, not the option. An option that fails there, too, stays NaN."""
        if not len(failed):
            return plain
        rows, n = np.arange(len(failed)), (failed != self.base).argmax(axis=1)
        m = failed[rows, n]
        networks = np.tile(self.other, (2, len(failed), 1))
        networks[0, rows, n], networks[1, rows, n] = m, self.base[n]
        with_option, without = measure(networks.reshape(-1, len(self.base))).reshape(2, -1)
        blocks = plain.blocks.copy()
        blocks[n, m] = with_option - without
        return replace(plain, blocks=blocks)


def _whole_networks(count: int, counts: np.ndarray, base: np.ndarray, seed: int) -> np.ndarray:
    """(count or fewer, N) distinct networks, uniform over those that are no swap of the base."""
    generator = np.random.default_rng([seed, 0xCA11B])
    found: dict[tuple[int, ...], None] = {}
    for _ in range(DRAWS):
        drawn = uniform_sample(count, counts, generator)
        found |= dict.fromkeys(map(tuple, drawn[(drawn != base).sum(axis=1) > 1].tolist()))
    return np.array(list(found)[:count], dtype=np.int64).reshape(-1, len(counts))


def calibration_size(num_blocks: int) -> int:
    """Whole networks for a correction with one coefficient for each block: three for each, at least 12."""
    return max(12, 3 * num_blocks)
