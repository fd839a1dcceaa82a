"""Where the latency of a candidate comes from: the device itself, or a calibrated table of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.searcher.calibration import Plan
from services.searcher.exact import Term
from services.searcher.fleet import Fleet
from services.searcher.latency_table import LatencyTable, TableError
from services.searcher.metric import LATENCY_MS, Metric
from services.searcher.problem import Values
from services.searcher.spec import MEASURED, TABLE_REFINED


class Latencies:
    """Latencies of one search by its mode. `errors` say how far each table is off, by device."""

    def __init__(self, *, mode: str, devices: Sequence[str], fleet: Fleet | None, plan: Plan) -> None:
        self.devices = tuple(devices)
        self.fleet = fleet
        self.plan = plan
        self.by_table = mode != MEASURED and bool(devices)
        self.refined = mode == TABLE_REFINED and bool(devices)
        self.errors: dict[str, TableError] = {}
        self._tables: dict[str, LatencyTable] = {}

    def __call__(self, X: np.ndarray, devices: Sequence[str]) -> dict[str, np.ndarray]:
        """(A,) milliseconds by device: measured, or from the table; in refined mode measured where known."""
        assert self.fleet is not None  # noqa: S101 - a search with devices has a fleet
        if not self.by_table:
            return self.fleet.latency(X, devices)
        found = {}
        for device in devices:
            table_ms = self._tables[device].latency_ms(X)
            measured_ms = self.fleet.known(X, device) if self.refined else np.full(len(X), np.nan)
            found[device] = np.where(np.isnan(measured_ms), table_ms, measured_ms)
        return found

    def calibrate(self, extra: np.ndarray) -> None:
        """Measures what the tables need (once) and corrects them, also by the measured networks `extra`."""
        fleet = self.fleet
        if not self.by_table or fleet is None:
            return
        plan = self.plan
        # All devices at the same time first; the tables then find every latency on record.
        fleet.measure(np.concatenate([plan.swapped, plan.calibration, plan.holdout]), self.devices)
        for device in self.devices:

            def measure(X: np.ndarray, device: str = device) -> np.ndarray:
                return fleet.latency(X, [device])[device]

            self._tables[device], self.errors[device] = plan.table(measure, device, extra)

    def measured(self, X: np.ndarray, values: Values) -> Values:
        """The same values with latencies from the device alone; NaN where a network was not measured."""
        if self.fleet is None:
            return values
        known = {
            Metric(name=LATENCY_MS, device=device): self.fleet.known(X, device) for device in self.devices
        }
        return {**values, **known}

    def best_known(self, X: np.ndarray, values: Values) -> Values:
        """The same values with latencies from the device where it has measured; elsewhere from the table as it is now,
        or as they were."""
        if self.fleet is None:
            return values
        found = dict(values)
        for device in self.devices:
            metric = Metric(name=LATENCY_MS, device=device)
            else_ms = self._tables[device].latency_ms(X) if self.by_table else values[metric]
            found[metric] = np.where(self.unknown(X, [device]), else_ms, self.fleet.known(X, device))
        return found

    def unknown(self, X: np.ndarray, devices: Sequence[str] | None = None) -> np.ndarray:
        """(A,) bool: whether a network was not tried on one of the devices, by default on all."""
        known = self.fleet.records if self.fleet is not None else {}
        names = self.devices if devices is None else devices
        rows = [tuple(row) for row in X.tolist()]
        return np.array([any((name, row) not in known for name in names) for row in rows], dtype=bool)

    def term(self, device: str) -> Term:
        """The table of a device as a term of the exact front."""
        table = self._tables[device]
        return Term(
            metric=Metric(name=LATENCY_MS, device=device),
            table=table.blocks * table.scales[:, None],
            offset=table.base_ms + table.shift_ms,
        )
