"""A library as the searcher's functions and tables: costs of networks, (N, M) tables of options."""

from __future__ import annotations

import numpy as np

from donna.space import Entry, Library
from services.searcher.distribution import Range, max_range, sum_range
from services.searcher.exact import Term
from services.searcher.metric import Metric

_FIELDS = {"model_bytes": "weight_bytes"}
"""Metrics whose name differs from the library's."""

PEAK = "activation_bytes"
"""The metric that is a maximum over the parts; the others are sums."""


def cost_table(library: Library, name: str) -> np.ndarray:
    """(N, M) costs of single options, padded with NaN; `name` is one of metric.COSTS."""
    return _table(library, _FIELDS.get(name, name))


def quality_table(library: Library) -> np.ndarray:
    """(N, M) qualities (NSR, smaller is better), padded with NaN."""
    return _table(library, "quality")


def cost(library: Library, X: np.ndarray, name: str) -> np.ndarray:
    """(A,) costs of whole networks."""
    return library.costs(X, _FIELDS.get(name, name))


def cost_range(library: Library, name: str, generator: np.random.Generator) -> Range:
    """Smallest, median and largest cost of the space."""
    table, fixed = cost_table(library, name), _fixed(library, name)
    return max_range(table, fixed) if name == PEAK else sum_range(table, fixed, generator)


def cost_term(library: Library, name: str) -> Term:
    """The cost as a term of the exact front."""
    return Term(
        metric=Metric(name=name),
        table=cost_table(library, name),
        offset=_fixed(library, name),
        maximum=name == PEAK,
    )


def _fixed(library: Library, name: str) -> float:
    ends = [float(getattr(part, _FIELDS.get(name, name))) for part in (library.stem, library.head)]
    return max(ends) if name == PEAK else sum(ends)


def _table(library: Library, field: str) -> np.ndarray:
    table = np.full((len(library.blocks), max(library.num_options)), np.nan)
    for n, block in enumerate(library.blocks):
        table[n, : len(block.entries)] = [_value(entry, field) for entry in block.entries]
    return table


def _value(entry: Entry, field: str) -> float:
    return float(getattr(entry, field))
