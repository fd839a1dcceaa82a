"""How one search is conducted: the feasibility table, the smallest network, the evolution or the exact front,
the measured front, and near-duplicates measured once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import FailedPrecondition
from donna.jobs.work import Report
from donna.space import Library
from services.searcher import feasibility
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.calibration import Plan
from services.searcher.evaluations import Evaluations
from services.searcher.evolution import Evolution
from services.searcher.exact import exact_front
from services.searcher.fleet import Fleet
from services.searcher.latencies import Latencies
from services.searcher.library_tables import cost, cost_table, cost_term
from services.searcher.loop import Generation, Loop
from services.searcher.measurement import UNSTABLE
from services.searcher.metric import ACCURACY, COSTS, LATENCY_MS, Metric
from services.searcher.pareto import hypervolume, non_dominated
from services.searcher.points import front_order
from services.searcher.problem import Problem, Values
from services.searcher.repeatability import near_duplicates
from services.searcher.spec import EXACT, SearchSpec
from services.searcher.standing import Standing
from services.searcher.survey import latency_row, smallest_networks, survey

TELL_S, TELLING_SHARE = 0.2, 0.05
"""A state is stored after every generation, but watchers are told this often at most, and for this share of the time:
nobody reads faster, and a long front takes long to tell."""

MAX_ROUNDS = 5
"""How often a refined table is corrected at most."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything a search has evaluated: rows X (A, N), their generation (A,), their values (A,) by metric."""

    X: np.ndarray
    generation: np.ndarray
    values: Values


class Conduct:
    """One search, once. `run` returns the result of the job; a second run after a crash takes up its
    checkpoint and everything measured."""

    def __init__(
        self,
        *,
        spec: SearchSpec,
        library: Library,
        report: Report,
        accuracy: PredictedAccuracy | None,
        fleet: Fleet | None,
        store_evaluations: Callable[[bytes], str],
    ) -> None:
        self.spec, self.library, self.report, self.fleet = spec, library, report, fleet
        self.accuracy, self._store = accuracy, store_evaluations
        self._stage: tuple[float, float, float, str] = (0.0, 1.0, 1.0, "")
        self._measured_in_stage = 0
        plan = Plan.of(cost_table(library, "macs"), library.num_options, spec.seed)
        self.latencies = Latencies(mode=spec.latency_mode, devices=spec.devices, fleet=fleet, plan=plan)
        self.standing = Standing(spec, library, fleet, self.latencies)
        self.problem = Problem(
            num_options=library.num_options,
            objectives=spec.objectives,
            bounds=spec.bounds,
            accuracy=self.accuracy,
            cost=lambda X, name: cost(library, X, name),
            latency=self.latencies if fleet is not None else None,
        )
        if fleet is not None:
            fleet.on_measured = self._tick

    def run(self) -> dict[str, Any]:
        """Raises FailedPrecondition when a bound cannot be met, or all of them together are met by nothing."""
        self.standing.rows = survey(self.spec, self.library, self.accuracy)
        feasibility.check(self.standing.rows)
        self._check_smallest()
        self.report.publish(self.standing.start())
        found = self._exact() if self.spec.algorithm == EXACT else self._evolve()
        values = self._confirm(found)
        return self._result(found, values)

    def _check_smallest(self) -> None:
        """A latency bound that even the smallest networks break is refused before anything else is measured."""
        bounded = [bound for bound in self.spec.bounds if bound.metric.name == LATENCY_MS]
        if self.fleet is None or not bounded:
            return
        self._enter(0.0, 0.02, 1, "measuring the smallest networks")
        smallest = smallest_networks(self.library)
        devices = list(dict.fromkeys(bound.metric.device for bound in bounded))
        self.fleet.measure(smallest, devices)
        for bound in bounded:
            known_ms = self.fleet.known(smallest, bound.metric.device)
            row = latency_row(self.spec, bound.metric, known_ms)
            if row is not None and bound.maximum is not None and row.range.smallest > bound.maximum:
                self.report.publish(self.standing.start())
                raise feasibility.too_slow(bound, row.range.smallest)

    def _evolve(self) -> Found:
        spec, report = self.spec, self.report
        loop = self._loop()
        saved = report.saved() or {"round": 0, "extra": [], "loop": None}
        done_rounds, extra = int(saved["round"]), np.array(saved["extra"], dtype=np.int64)
        self._enter(0.02, 0.5, self.latencies.plan.size * len(spec.devices), "measuring single blocks")
        self.latencies.calibrate(extra)
        if saved["loop"] is not None:
            loop.load(saved["loop"], report.saved_parts())
            self.standing.history = loop.history
            if self.fleet is not None:
                self.fleet.recall(loop.X, spec.devices)
        more = max(5, spec.generations // 5)
        while True:
            self._generations(loop, spec.generations + done_rounds * more, done_rounds, extra)
            if not self.latencies.by_table or self.fleet is None:
                break
            rows = loop.front()
            self._enter(0.7, 0.28, len(rows) * len(spec.devices), "measuring the front")
            self.fleet.measure(loop.X[rows], spec.devices)
            if not self.latencies.refined or done_rounds == MAX_ROUNDS or self.fleet.exhausted:
                break
            done_rounds += 1
            extra = np.unique(np.concatenate([extra.reshape(-1, loop.X.shape[1]), loop.X[rows]]), axis=0)
            self.latencies.calibrate(extra)
            latencies = self.latencies(loop.X, spec.devices)
            again = {Metric(name=LATENCY_MS, device=device): ms for device, ms in latencies.items()}
            loop.revalue({**loop.values, **again})
            front = loop.X[loop.front()]
            if all(not np.isnan(self.fleet.known(front, device)).any() for device in spec.devices):
                break  # the front of the corrected values is measured already: it is stable
        return Found(
            X=loop.X, generation=loop.generations, values=self.latencies.measured(loop.X, loop.values)
        )

    def _loop(self) -> Loop:
        spec, library = self.spec, self.library
        evolution = Evolution(
            num_options=library.num_options,
            num_objectives=len(spec.objectives),
            population=spec.population,
            seed=spec.seed,
            tables=[library.quality_table(), *(cost_table(library, name) for name in COSTS)],
            initial=np.array(spec.initial, dtype=np.int64).reshape(-1, len(library.num_options)),
        )
        ideal, worst = self._box()
        return Loop(self.problem, evolution, ideal=ideal, worst=worst)

    def _box(self) -> tuple[np.ndarray, np.ndarray]:
        """(K,) best and worst of each objective, as minimised, by the feasibility table; NaN for the worst latency.

        Nothing can be better than the best: 0 ms of a latency, 1 of an accuracy whose largest is an estimate.
        """
        best, worst = [], []
        rows = {row.metric: row for row in self.standing.rows}
        for metric in self.spec.objectives:
            if (row := rows.get(metric)) is None:
                ends = [0.0, np.nan]
            else:
                known = row.range.exact or metric.name != ACCURACY
                largest = row.range.largest if known else 1.0
                ends = sorted([row.range.smallest * metric.sign, largest * metric.sign])
            best.append(ends[0])
            worst.append(ends[1])
        return np.array(best), np.array(worst)

    def _generations(self, loop: Loop, until: int, done_rounds: int, extra: np.ndarray) -> None:
        start, span = (0.5, 0.2) if self.latencies.by_table else (0.02, 0.95)
        tell_at = 0.0
        while loop.generation < until and not self._spent:
            share = span / until
            label = f"generation {loop.generation + 1} of {until}"
            self._enter(start + share * loop.generation, share, self.spec.population, label)
            if not loop.step():
                break
            self.standing.history = loop.history
            began = time.monotonic()
            told = None
            if loop.generation == until or began > tell_at:
                told = self.standing.running(loop)
            state, part = loop.save()
            self.report.save(
                {"round": done_rounds, "extra": extra.tolist(), "loop": state},
                part=part,
                partial=told,
                fraction=start + share * loop.generation,
                message=label,
            )
            if told is not None:
                now = time.monotonic()
                tell_at = now + max(TELL_S, (now - began) / TELLING_SHARE)

    @property
    def _spent(self) -> bool:
        """Whether candidates cannot be measured any more."""
        return self.fleet is not None and not self.latencies.by_table and self.fleet.exhausted

    def _exact(self) -> Found:
        """The true front; with tables of latency, measured, and in refined mode until it is stable."""
        spec, library = self.spec, self.library
        terms = [cost_term(library, metric.name) for metric in spec.metrics if metric.name in COSTS]
        if spec.needs_predictor and self.accuracy is not None:
            if (term := self.accuracy.term()) is None:
                raise FailedPrecondition(
                    "the predicted accuracy does not add up over the blocks, so no exact front exists; "
                    "use a first-order predictor or NSGA-II",
                    reason="NOT_ADDITIVE",
                )
            terms.append(term)
        self._enter(0.02, 0.5, self.latencies.plan.size * len(spec.devices), "measuring single blocks")
        extra = np.zeros((0, len(library.num_options)), dtype=np.int64)
        for round_number in range(MAX_ROUNDS + 1):
            self.latencies.calibrate(extra)
            tables = [self.latencies.term(device) for device in spec.devices]
            X = exact_front(library.num_options, spec.objectives, spec.bounds, [*terms, *tables])
            every = np.unique(np.concatenate([extra, X]), axis=0)
            stable = len(every) == len(extra)
            extra = every
            if self.fleet is not None and len(extra):
                self._enter(0.7, 0.28, len(X) * len(spec.devices), "measuring the front")
                self.fleet.measure(extra, spec.devices)
            if stable or not self.latencies.refined or round_number == MAX_ROUNDS:
                break
        if not len(extra):
            raise FailedPrecondition(
                f"no network of the space meets all bounds together: {self._bounds()}", reason="NO_FEASIBLE"
            )
        values = self.latencies.measured(extra, self.problem.predicted(extra))
        return Found(X=extra, generation=np.ones(len(extra), dtype=np.int64), values=values)

    def _confirm(self, found: Found) -> Values:
        """Values after what is in doubt on the front was measured once more, past the cache: networks whose latency
        did not settle, and near-duplicates."""
        if self.fleet is None:
            return found.values
        judged = self.problem.judge(found.values)
        rows = non_dominated(judged.F, judged.G)
        for device in self.spec.devices:
            records = [self.fleet.records[device, tuple(row)] for row in found.X[rows].tolist()]
            near = near_duplicates(
                found.values[Metric(name=LATENCY_MS, device=device)][rows],
                np.array([record.low_ms for record in records]),
                np.array([record.high_ms for record in records]),
            )
            unsettled = np.flatnonzero([record.note == UNSTABLE for record in records])
            doubtful = found.X[rows][np.union1d(near, unsettled)]
            self._enter(0.98, 0.01, max(1, len(doubtful)), f"measuring the front again on {device}")
            self.fleet.measure(doubtful, [device], repeat=1)
        return self.latencies.measured(found.X, found.values)

    def _result(self, found: Found, values: Values) -> dict[str, Any]:
        judged = self.problem.judge(values)
        rows = non_dominated(judged.F, judged.G)
        if not len(rows):
            raise self._nothing_feasible(found, judged.G)
        rows = rows[front_order({m: column[rows] for m, column in values.items()}, self.spec.objectives)]
        X = found.X[rows]
        if not self.standing.history:
            self.standing.history = [self._only_generation(judged.F[rows], len(found.X))]
        intervals = self.accuracy.predictions(X) if self.accuracy is not None else None
        chosen = {metric: column[rows] for metric, column in values.items()}
        devices = self.spec.devices
        records = self.standing.records(found.X)
        notes = [[record[d].note if d in record else "" for d in devices] for record in records]
        table = Evaluations.of(
            self.problem.metrics,
            devices,
            found.X,
            found.generation,
            values,
            judged.feasible,
            notes,
        )
        told = self.standing.ended(X, chosen, len(found.X), intervals)
        return {**told, "evaluations": self._store(table.to_bytes())}

    def _only_generation(self, F: np.ndarray, evaluated: int) -> Generation:
        ideal, worst = self._box()
        return Generation(
            generation=1,
            num_evaluations=evaluated,
            hypervolume=hypervolume(F, np.where(np.isnan(worst), F.max(axis=0), worst), ideal),
            front_size=len(F),
        )

    def _nothing_feasible(self, found: Found, G: np.ndarray) -> FailedPrecondition:
        nearest = int(np.argmin(np.maximum(G, 0.0).sum(axis=1)))
        figures = ", ".join(f"{metric} {column[nearest]:.6g}" for metric, column in found.values.items())
        return FailedPrecondition(
            f"none of {len(found.X)} networks meets all bounds together ({self._bounds()}); the nearest, "
            f"{'-'.join(map(str, found.X[nearest]))}, has {figures}",
            reason="NO_FEASIBLE",
        )

    def _bounds(self) -> str:
        return ", ".join(map(str, self.spec.bounds))

    def _enter(self, start: float, span: float, expected: float, message: str) -> None:
        self._stage = (start, span, max(1.0, expected), message)
        self._measured_in_stage = 0
        self.report.progress(start, 1.0, message)

    def _tick(self) -> None:
        self._measured_in_stage += 1
        start, span, expected, message = self._stage
        share = min(1.0, self._measured_in_stage / expected)
        self.report.progress(start + span * share, 1.0, f"{message}, {self._measured_in_stage} measured")
