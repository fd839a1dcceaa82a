"""How one search is conducted: the feasibility table, the smallest networks, the front, what is in doubt on it measured
once more, the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from donna.errors import FailedPrecondition
from services.searcher import feasibility
from services.searcher.evaluations import Evaluations
from services.searcher.evolution_proposals import EvolutionProposals
from services.searcher.exact_proposals import ExactProposals
from services.searcher.found import Found
from services.searcher.loop import Generation
from services.searcher.measurement import UNSTABLE
from services.searcher.metric import LATENCY_MS, Metric
from services.searcher.pareto import hypervolume, non_dominated
from services.searcher.points import front_order
from services.searcher.problem import Values
from services.searcher.refinement import Proposals, refine
from services.searcher.repeatability import near_duplicates
from services.searcher.search import Search
from services.searcher.spec import EXACT
from services.searcher.survey import latency_row, representatives, smallest_networks, survey


def conduct(search: Search, store_evaluations: Callable[[bytes], str]) -> dict[str, Any]:
    """The result of a search's job. A second run after a crash takes up its checkpoint and everything measured.

    Raises FailedPrecondition when a bound cannot be met, or all of them together are met by nothing.
    """
    search.standing.rows = survey(search.spec, search.library, search.accuracy)
    feasibility.check(search.standing.rows)
    _check_smallest(search)
    if search.report.saved() is None:  # else watchers have a front already, and would lose it
        search.report.publish(search.standing.start())
    proposals: Proposals = (
        ExactProposals(search) if search.spec.algorithm == EXACT else EvolutionProposals(search)
    )
    refine(search, proposals)
    found = _with_everything_measured(search, proposals.found())
    _confirm(search, found)
    return _result(search, found, store_evaluations)


def _check_smallest(search: Search) -> None:
    """A latency bound that is clearly out of reach is refused before anything but the smallest networks is measured."""
    bounded = [bound for bound in search.spec.bounds if bound.metric.name == LATENCY_MS]
    if search.fleet is None or not bounded:
        return
    search.stage.enter(0.0, 0.02, 1, "measuring the smallest networks")
    metrics = list(dict.fromkeys(bound.metric for bound in bounded))
    try:
        feasibility.check(_latency_rows(search, metrics, smallest_networks(search.library)))
    except FailedPrecondition:
        # A refusal tells the whole range, and only for one are larger networks measured.
        rows = _latency_rows(search, metrics, representatives(search.library))
        search.report.publish(search.standing.start())
        feasibility.check(rows)


def _latency_rows(search: Search, metrics: Sequence[Metric], X: np.ndarray) -> list[feasibility.Row]:
    """What these networks take, measured now unless that is known."""
    assert search.fleet is not None  # noqa: S101 - a search with devices has a fleet
    found = search.fleet.latency(X, [metric.device for metric in metrics])
    rows = [latency_row(search.spec, metric, found[metric.device]) for metric in metrics]
    return [row for row in rows if row is not None]


def _with_everything_measured(search: Search, found: Found) -> Found:
    """Also what was measured outside of any generation: it may be on the front. Latencies are those of the device."""
    if search.fleet is not None:
        networks = {
            choices for (_, choices), record in search.fleet.records.items() if record.latency_ms is not None
        }
        found = found.including(sorted(networks), search.problem)
    return _remeasured(search, found)


def _remeasured(search: Search, found: Found) -> Found:
    values = search.latencies.measured(found.X, found.values)
    return Found(X=found.X, generation=found.generation, values=values)


def _confirm(search: Search, found: Found) -> None:
    """Measures once more, past the cache, what is in doubt on the front: networks whose latency did not settle, and
    near-duplicates."""
    if search.fleet is None:
        return
    judged = search.problem.judge(found.values)
    rows = non_dominated(judged.F, judged.G)
    for device in search.spec.devices:
        records = [search.fleet.records[device, tuple(row)] for row in found.X[rows].tolist()]
        near = near_duplicates(
            found.values[Metric(name=LATENCY_MS, device=device)][rows],
            np.array([record.low_ms for record in records]),
            np.array([record.high_ms for record in records]),
        )
        unsettled = np.flatnonzero([record.note == UNSTABLE for record in records])
        doubtful = found.X[rows][np.union1d(near, unsettled)]
        told = f"measuring the front again on {device}"
        search.stage.enter(0.98, 0.01, len(doubtful), told)
        search.fleet.measure(doubtful, [device], repeat=1)


def _result(search: Search, found: Found, store_evaluations: Callable[[bytes], str]) -> dict[str, Any]:
    found = _remeasured(search, found)
    spec, standing, values = search.spec, search.standing, found.values
    judged = search.problem.judge(values)
    rows = non_dominated(judged.F, judged.G)
    notes = _notes(search, found.X)
    if not len(rows):
        raise _nothing_feasible(search, found, judged.G, notes)
    rows = rows[front_order({m: column[rows] for m, column in values.items()}, spec.objectives)]
    X = found.X[rows]
    if not standing.history:
        standing.history = [_only_generation(search, judged.F[rows], len(found.X))]
    table = Evaluations.of(
        search.problem.metrics, spec.devices, found.X, found.generation, values, judged.feasible, notes
    )
    chosen: Values = {metric: column[rows] for metric, column in values.items()}
    intervals = search.accuracy.predictions(X) if search.accuracy is not None else None
    told = standing.ended(X, chosen, len(found.X), intervals)
    return {**told, "evaluations": store_evaluations(table.to_bytes())}


def _notes(search: Search, X: np.ndarray) -> list[list[str]]:
    """Why there is no settled latency, for each row and device; "" where there is nothing to say."""
    records = search.standing.records(X)
    return [[record[d].note if d in record else "" for d in search.spec.devices] for record in records]


def _only_generation(search: Search, F: np.ndarray, evaluated: int) -> Generation:
    ideal, worst = search.standing.box()
    return Generation(
        generation=1,
        num_evaluations=evaluated,
        hypervolume=hypervolume(F, np.where(np.isnan(worst), F.max(axis=0), worst), ideal),
        front_size=len(F),
    )


def _nothing_feasible(
    search: Search, found: Found, G: np.ndarray, notes: list[list[str]]
) -> FailedPrecondition:
    """What was tried, and the nearest network of those of which everything is known."""
    bounds = ", ".join(map(str, search.spec.bounds))
    known = ~np.any([np.isnan(column) for column in found.values.values()], axis=0)
    measured = f", {int(known.sum())} of them measured," if search.fleet is not None else ""
    said = f"none of {len(found.X)} networks{measured} meets all bounds together" + (
        bounds and f" ({bounds})"
    )
    if known.any():
        rows = np.flatnonzero(known)
        nearest = rows[np.argmin(np.maximum(G[rows], 0.0).sum(axis=1))]
        figures = ", ".join(f"{metric} {column[nearest]:.6g}" for metric, column in found.values.items())
        said += f"; the nearest, {'-'.join(map(str, found.X[nearest]))}, has {figures}"
    elif failed := Counter(note for row in notes for note in row if note):
        said += (
            f"; they could not be measured: {', '.join(f'{n} {note}' for note, n in failed.most_common())}"
        )
    return FailedPrecondition(said, reason="NO_FEASIBLE")
