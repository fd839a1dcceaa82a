"""How many networks a run measures on each device, counted before it starts. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from donna.pipeline.sections import LATENCY
from donna.pipeline.spec import Spec
from donna.pipeline.turns import ROUNDS

REFINEMENTS = 5
"""How often the searcher corrects a refined table, and measures the front again, at most."""
LOOK = 5
"""Networks that tell the range of a latency before a search: the smallest by three sizes, a middle one, the largest."""


def has_table(spec: Spec) -> bool:
    """Whether latencies come from a table of blocks."""
    return bool(spec.search.latencies) and spec.search.latency != "measured"


def table_size(num_options: Sequence[int]) -> int:
    """Networks that the searcher measures for a latency table: a base, every other option swapped in, whole networks
    to correct the sum by, and 8 to judge it; no more than there are."""
    swapped = 1 + sum(num_options) - len(num_options)
    return min(swapped + max(12, 3 * len(num_options)) + 8, math.prod(num_options))


def searched(spec: Spec, num_options: Sequence[int]) -> int:
    """Networks that one search measures at most; a front is taken for no larger than the population."""
    search = spec.search
    if not search.latencies:
        return 0
    if not has_table(spec):
        found = search.population * search.generations
    else:
        fronts = 1 + REFINEMENTS if search.latency == "table_refined" else 1
        found = table_size(num_options) + fronts * search.population
    return min(found, search.max_measurements or found)


def looked_at(spec: Spec) -> int:
    """Networks that are measured to check the bounds on latencies."""
    return LOOK if any(bound.metric == LATENCY for bound in spec.search.bounds) else 0


def baselines(spec: Spec) -> int:
    """Networks of one option in every block."""
    blocks = [set(options) for _, options in spec.space.expand()]
    return len(set.intersection(*blocks))


def models(spec: Spec) -> int:
    """Measurements of the exported models, the reference among them, in all rounds."""
    return ROUNDS * (1 + spec.finetune.winners * (2 if spec.finetune.int8 else 1))
