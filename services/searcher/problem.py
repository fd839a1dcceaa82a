"""The optimisation problem: choice vectors in, objectives F and constraint violations G out.

It knows functions only; what stands behind them (a predictor service, a device, a table) is not its
business. Symbols as in the literature: X are decisions, F objectives to be minimised, G <= 0 feasible.
A is the number of architectures, N of blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from donna.errors import InvalidArgument
from services.searcher.metric import ACCURACY, COSTS, LATENCY_MS, Bound, Metric, devices_of, metrics_of

Accuracy = Callable[[np.ndarray], np.ndarray]
"""(A, N) choices -> (A,) predicted accuracies in [0, 1]."""

Cost = Callable[[np.ndarray, str], np.ndarray]
"""(A, N) choices and one of metric.COSTS -> (A,) costs of whole networks."""

Latency = Callable[[np.ndarray, Sequence[str]], Mapping[str, np.ndarray]]
"""(A, N) choices and names of devices -> (A,) milliseconds for each device; NaN where it cannot run.

All devices in one call, so that they can measure at the same time.
"""

Values = dict[Metric, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One batch: `F` (A, K) to be minimised, `G` (A, B) feasible where <= 0, `values` of every metric.

    A latency that was not measured is NaN in `values` and in `F`; its row then has a positive G, so it is
    never part of a front.
    """

    F: np.ndarray
    G: np.ndarray
    values: Values

    @property
    def feasible(self) -> np.ndarray:
        """(A,) bool."""
        return np.all(self.G <= 0, axis=1)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Objectives and bounds over a space with `num_options` (M_n) options for each of its N blocks.

    Raises InvalidArgument without objectives or with one twice, and when a function is missing.
    """

    num_options: tuple[int, ...]
    objectives: tuple[Metric, ...]
    bounds: tuple[Bound, ...] = ()
    accuracy: Accuracy | None = field(default=None, repr=False)
    cost: Cost | None = field(default=None, repr=False)
    latency: Latency | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.objectives:
            raise InvalidArgument.of("objectives", "at least one objective is needed")
        if len(set(self.objectives)) != len(self.objectives):
            texts = ", ".join(map(str, self.objectives))
            raise InvalidArgument.of("objectives", f"must be distinct, got {texts}")
        for metric in self.metrics:
            if self._function(metric) is None:
                raise InvalidArgument.of("objectives", f"nothing computes {metric}")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that is an objective or bounded, each once."""
        return metrics_of(self.objectives, self.bounds)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices whose latency matters."""
        return devices_of(self.metrics)

    def evaluate(self, X: np.ndarray) -> Evaluation:
        """F and G of (A, N) choices.

        Latencies are asked for only where every other bound is met: a measurement costs seconds, and a
        network that breaks a bound on accuracy or size is out in any case.
        """
        values = self.predicted(X)
        alive = (violations(self.bounds, values, len(X)) <= 0).all(axis=1)
        measured: Mapping[str, np.ndarray] = {}
        if self.latency is not None and self.devices and alive.any():
            measured = self.latency(X[alive], self.devices)
        for device in self.devices:
            column = np.full(len(X), np.nan)
            if alive.any():
                column[alive] = measured[device]
            values[Metric(name=LATENCY_MS, device=device)] = column
        return self.judge(values)

    def predicted(self, X: np.ndarray) -> Values:
        """The metrics that need no device."""
        values: Values = {}
        for metric in self.metrics:
            if metric.name == ACCURACY and self.accuracy is not None:
                values[metric] = np.asarray(self.accuracy(X), dtype=np.float64)
            elif metric.name in COSTS and self.cost is not None:
                values[metric] = np.asarray(self.cost(X, metric.name), dtype=np.float64)
        return values

    def judge(self, values: Values) -> Evaluation:
        """F and G of values that are already known: (A,) for each metric of the problem."""
        F = np.stack([metric.sign * values[metric] for metric in self.objectives], axis=1)
        G = violations(self.bounds, values, len(F))
        # An unknown or impossible value must never look feasible, whether it is bounded or not.
        unknown = np.any([np.isnan(values[metric]) for metric in self.metrics], axis=0)
        return Evaluation(F=F, G=np.c_[G, np.where(unknown, 1.0, 0.0)], values=values)

    def _function(self, metric: Metric) -> object:
        return {ACCURACY: self.accuracy, LATENCY_MS: self.latency}.get(metric.name, self.cost)


def violations(bounds: Sequence[Bound], values: Mapping[Metric, np.ndarray], count: int) -> np.ndarray:
    """(A = `count`, B) violations, for those bounds whose metric is in `values`; NaN counts 1.

    Relative to the limits, so that in a sum a bound in bytes does not drown one in milliseconds.
    """
    columns = []
    for bound in bounds:
        if bound.metric in values:
            for limit, sign in ((bound.minimum, -1.0), (bound.maximum, 1.0)):
                if limit is not None:
                    excess = sign * (values[bound.metric] - limit) / (abs(limit) or 1.0)
                    columns.append(np.where(np.isnan(excess), 1.0, excess))
    return np.stack(columns, axis=1) if columns else np.zeros((count, 0))
