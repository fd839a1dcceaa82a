"""The feasibility table of a search: what the space offers for every metric that needs no device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from donna.space import Library
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.accuracy_range import accuracy_range
from services.searcher.calibration import Plan
from services.searcher.distribution import sampled_range
from services.searcher.feasibility import Row
from services.searcher.library_tables import cost_range, cost_table
from services.searcher.metric import ACCURACY, LATENCY_MS, Bound, Metric
from services.searcher.operators import extremes
from services.searcher.spec import SearchSpec

CLEARLY = 1.5
"""How much faster than the smallest networks another one may be. [our choice]"""

SIZES = ("macs", "model_bytes", "parameters", "activation_bytes")


def survey(spec: SearchSpec, library: Library, accuracy: PredictedAccuracy | None) -> list[Row]:
    """One row for each objective and bound except latencies. Deterministic."""
    rows = []
    for metric in spec.metrics:
        generator = np.random.default_rng(0)
        if metric.name == ACCURACY and accuracy is not None:
            found = accuracy_range(accuracy, generator)
        elif metric.name not in (ACCURACY, LATENCY_MS):
            found = cost_range(library, metric.name, generator)
        else:
            continue
        rows.append(Row(metric=metric, range=found, bounds=bounds_on(spec, metric)))
    return rows


def latency_row(spec: SearchSpec, metric: Metric, known_ms: np.ndarray) -> Row | None:
    """The row of a latency from the networks measured so far, an estimate; None before the first.

    The smallest networks are among them wherever there is a bound. A network may be faster that is not the smallest by
    anything, but not by far: a bound that these break by more than the factor CLEARLY is taken for out of reach.
    """
    known_ms = known_ms[~np.isnan(known_ms)]
    if not len(known_ms):
        return None
    found = sampled_range(known_ms, exact=False)
    found = replace(found, limits=(found.smallest / CLEARLY, np.inf))
    return Row(metric=metric, range=found, bounds=bounds_on(spec, metric))


def bounds_on(spec: SearchSpec, metric: Metric) -> tuple[Bound, ...]:
    """The bounds of a search on one metric."""
    return tuple(bound for bound in spec.bounds if bound.metric == metric)


def smallest_networks(library: Library) -> np.ndarray:
    """(S, N) the networks that are smallest by multiply-adds, bytes, parameters or memory: most likely the fastest."""
    return extremes([cost_table(library, name) for name in SIZES])


def representatives(library: Library) -> np.ndarray:
    """(R, N) a few networks that show the range of a latency: the smallest, a middle one, the largest."""
    macs = cost_table(library, "macs")
    middle = Plan.of(macs, library.num_options, 0).base
    return np.concatenate([smallest_networks(library), middle[None], extremes([-macs])])
