"""How a search stands, as JSON values: what watchers see after every generation, and what the result says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from donna.space import Library
from donna.space.accuracy_tables import Predictions
from services.searcher.feasibility import Row
from services.searcher.fleet import Fleet
from services.searcher.latencies import Latencies
from services.searcher.loop import Generation, Loop
from services.searcher.measurement import Record
from services.searcher.metric import LATENCY_MS, Metric
from services.searcher.points import front_order, points
from services.searcher.problem import Values
from services.searcher.spec import SearchSpec
from services.searcher.survey import latency_row


class Standing:
    """Tells of one search. `rows` is its feasibility table without latencies, `history` its generations."""

    def __init__(self, spec: SearchSpec, library: Library, fleet: Fleet | None, latencies: Latencies) -> None:
        self.rows: list[Row] = []
        self.history: list[Generation] = []
        self._spec, self._library, self._fleet, self._latencies = spec, library, fleet, latencies
        self._known_points: dict[int, dict[str, Any]] = {}

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """(K,) best and worst of each objective, as minimised, by the feasibility table; NaN for the worst latency.

        Nothing can be better than the best: 0 ms of a latency, the proven limit of what is only estimated.
        """
        best, worst = [], []
        rows = {row.metric: row for row in self.rows}
        for metric in self._spec.objectives:
            if (row := rows.get(metric)) is None:
                ends = [0.0, np.nan]
            else:
                known = row.range.limits[1] if metric.maximise else row.range.limits[0]
                other = row.range.smallest if metric.maximise else row.range.largest
                ends = [metric.sign * known, metric.sign * other]
            best.append(ends[0])
            worst.append(ends[1])
        return np.array(best), np.array(worst)

    def start(self) -> dict[str, Any]:
        """Before the first generation."""
        return {**self._figures(0), "front": []}

    def running(self, loop: Loop) -> dict[str, Any]:
        """After a generation. The points of a front change little from one generation to the next."""
        rows = loop.front()
        rows = rows[front_order(_at(loop.values, rows), self._spec.objectives)]
        if self._latencies.by_table:
            self._known_points.clear()  # latencies are corrected between rounds
        fresh = np.array([row for row in rows.tolist() if row not in self._known_points], dtype=np.int64)
        X = loop.X[fresh]
        found = points(self._library, X, _at(loop.values, fresh), self.records(X))
        self._known_points.update(zip(fresh.tolist(), found, strict=True))
        return {**self._figures(len(loop.X)), "front": [self._known_points[row] for row in rows.tolist()]}

    def ended(
        self, X: np.ndarray, values: Values, evaluated: int, intervals: Predictions | None
    ) -> dict[str, Any]:
        """With the final front: rows X (P, N), their values and intervals (P,), in order."""
        front = points(self._library, X, values, self.records(X), intervals)
        return {**self._figures(evaluated), "front": front}

    def records(self, X: np.ndarray) -> list[dict[str, Record]]:
        """What was measured of each row of X, by device."""
        if self._fleet is None:
            return [{} for _ in range(len(X))]
        known = self._fleet.records
        return [
            {d: known[d, tuple(row)] for d in self._spec.devices if (d, tuple(row)) in known}
            for row in X.tolist()
        ]

    def _figures(self, evaluated: int) -> dict[str, Any]:
        rows = list(self.rows)
        if self._fleet is not None:
            for device in self._spec.devices:
                metric = Metric(name=LATENCY_MS, device=device)
                known = [r.latency_ms for (d, _), r in self._fleet.records.items() if d == device]
                row = latency_row(
                    self._spec, metric, np.array([np.nan if ms is None else ms for ms in known])
                )
                rows += [row] if row is not None else []
        return {
            "feasibility": [row.to_dict() for row in rows],
            "generations": [vars(generation) for generation in self.history],
            "num_evaluations": evaluated,
            "num_measured": {d: self._fleet.count(d) for d in self._spec.devices} if self._fleet else {},
            "table_errors": {device: asdict(error) for device, error in self._latencies.errors.items()},
        }


def _at(values: Values, rows: np.ndarray) -> Values:
    return {metric: column[rows] for metric, column in values.items()}
