"""What one gets without a search: the same option in every block, as the reference would be scaled uniformly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from donna.space import Architecture
from donna.space.library import Library
from donna.v1 import common_pb2, searcher_pb2

SMALLEST_POPULATION = 4


def uniform(library: Library) -> dict[str, Architecture]:
    """For each option that every block has, the network made of it alone."""
    places = [{entry.option: m for m, entry in enumerate(block.entries)} for block in library.blocks]
    shared = [option for option in places[0] if all(option in place for place in places)]
    return {option: Architecture(choices=tuple(place[option] for place in places)) for option in shared}


def baseline_search(
    spec: searcher_pb2.SearchSpec, networks: Iterable[Architecture], most: int
) -> searcher_pb2.SearchSpec:
    """A search of one generation, without bounds, that measures these networks, and a few small ones of its own, as
    `spec` measures its own; at most so many, 0 means no limit."""
    initial = [common_pb2.Architecture(choices=network.choices) for network in networks]
    found = searcher_pb2.SearchSpec()
    found.CopyFrom(spec)
    del found.bounds[:], found.initial[:]
    found.initial.extend(initial)
    found.algorithm = searcher_pb2.SEARCH_ALGORITHM_NSGA2
    found.latency_mode = searcher_pb2.LATENCY_MODE_MEASURED
    found.population, found.generations = max(SMALLEST_POPULATION, len(initial)), 1
    found.max_measurements = most
    return found


def baselines(
    library: Library, networks: dict[str, Architecture], evaluations: Iterable[searcher_pb2.Evaluation]
) -> list[dict[str, Any]]:
    """The networks with what was predicted and measured, as plain values; those not evaluated are left out."""
    known = {tuple(e.architecture.choices): e for e in evaluations}
    found = []
    for option, network in networks.items():
        evaluation = known.get(network.choices)
        if evaluation is not None:
            row = np.array([network.choices])
            found.append(
                {
                    "name": str(network),
                    "option": option,
                    "predicted_accuracy": evaluation.predicted_accuracy,
                    "latency_ms": dict(evaluation.latency_ms),
                    **{cost: int(library.costs(row, cost)[0]) for cost in ("parameters", "macs")},
                }
            )
    return found
