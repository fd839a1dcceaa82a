"""The page of a search that is still running: the same page, with what is known so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from donna.pipeline.evaluations import evaluations_csv
from donna.pipeline.result import front_values, library_values, search_values
from donna.report.page import report_html
from donna.space.library import Library
from donna.v1 import common_pb2, searcher_pb2

HAS = {"succeeded": "has", "failed": "has", "cancelled": "was"}
"""What a state that is over is said with."""


def live_html(
    search: searcher_pb2.Search, library: Library, evaluations: Iterable[searcher_pb2.Evaluation]
) -> str:
    """The page of a search as it stands."""
    return report_html(live_result(search, library), evaluations_csv(evaluations))


def live_result(search: searcher_pb2.Search, library: Library) -> dict[str, Any]:
    """What a search knows of what `result.json` holds: no reference, no models, no predictor."""
    asked = {o.device for o in search.spec.objectives} | {b.device for b in search.spec.bounds}
    devices = (asked | set(search.num_measured)) - {""}
    return {
        "name": search.name,
        "devices": {device: {} for device in sorted(devices)},
        "reference": None,
        "models": [],
        "space": {
            "num_blocks": len(library.blocks),
            "num_options": list(library.num_options),
            "num_architectures": library.num_architectures,
        },
        "library": library_values(library),
        "search": search_values(search),
        "front": front_values(search),
        "headline": _headline(search),
    }


def _headline(search: searcher_pb2.Search) -> str:
    state = common_pb2.JobState.Name(search.job.state).removeprefix("JOB_STATE_").lower()
    waiting = f" for {search.job.waiting_for}" if search.job.waiting_for else ""
    generation = (
        f": generation {len(search.generations)} of {search.spec.generations}" if search.generations else ""
    )
    error = f" {search.job.error.message}." if search.job.error.message else ""
    return f"The search {HAS.get(state, 'is')} {state}{waiting}{generation}.{error}"
