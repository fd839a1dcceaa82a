"""One search and what it works with: made once for each run of its job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from donna.jobs.work import Report
from donna.space import Library
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.calibration import Plan
from services.searcher.fleet import Fleet
from services.searcher.latencies import Latencies
from services.searcher.library_tables import cost, cost_table
from services.searcher.problem import Problem
from services.searcher.spec import SearchSpec
from services.searcher.standing import Standing


@dataclass(frozen=True, kw_only=True)
class Search:
    """`accuracy` is None without a predictor, `fleet` without devices."""

    spec: SearchSpec
    library: Library
    report: Report
    accuracy: PredictedAccuracy | None
    fleet: Fleet | None

    @cached_property
    def latencies(self) -> Latencies:
        """Where latencies come from."""
        plan = Plan.of(cost_table(self.library, "macs"), self.library.num_options, self.spec.seed)
        return Latencies(mode=self.spec.latency_mode, devices=self.spec.devices, fleet=self.fleet, plan=plan)

    @cached_property
    def problem(self) -> Problem:
        """The problem that the spec states."""
        return Problem(
            num_options=self.library.num_options,
            objectives=self.spec.objectives,
            bounds=self.spec.bounds,
            accuracy=self.accuracy,
            cost=lambda X, name: cost(self.library, X, name),
            latency=self.latencies if self.fleet is not None else None,
        )

    @cached_property
    def standing(self) -> Standing:
        """What is told of it."""
        return Standing(self.spec, self.library, self.fleet, self.latencies)

    @cached_property
    def stage(self) -> Stage:
        """How far it is."""
        return Stage(self.report)


class Stage:
    """The part of a search that is under way, as a share of the whole; measurements move it on."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._start, self._span, self._expected, self._message = 0.0, 1.0, 1.0, ""
        self._measured = 0

    def enter(self, start: float, span: float, expected: float, message: str) -> None:
        """A part from `start` to `start + span` of the whole, of `expected` measurements, begins."""
        self._start, self._span, self._expected, self._message = start, span, max(1.0, expected), message
        self._measured = 0
        self._report.progress(start, 1.0, message)

    def measured(self) -> None:
        """One more measurement."""
        self._measured += 1
        done = self._start + self._span * min(1.0, self._measured / self._expected)
        self._report.progress(done, 1.0, f"{self._message}, {self._measured} measured")
