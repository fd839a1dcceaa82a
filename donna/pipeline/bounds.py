"""What no space or no network of it can meet, refused in the words of the spec. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from donna.errors import FailedPrecondition, InvalidArgument
from donna.pipeline.budget import has_table, table_size
from donna.pipeline.spec import Spec
from donna.v1 import common_pb2, distiller_pb2, searcher_pb2


def check_space(spec: Spec, library: distiller_pb2.BlockLibrary) -> None:
    """Raises InvalidArgument or FailedPrecondition for what a library that is only planned cannot give."""
    check_size(spec, int(library.num_architectures or 0))
    check_costs(spec, library.plan.costs)
    check_table(spec, library.num_options)


def check_size(spec: Spec, num_architectures: int) -> None:
    """Raises InvalidArgument when the space has fewer networks than are to be finetuned; 0 means not known."""
    needed = spec.predictor.samples + spec.predictor.holdout
    if 0 < num_architectures < needed:
        said = f"samples and holdout are {needed}, but the space has {num_architectures} networks"
        raise InvalidArgument.of("predictor.samples", said)


def check_table(spec: Spec, num_options: Sequence[int]) -> None:
    """Raises InvalidArgument when the measurements allowed are too few for a latency table."""
    most, needed = spec.search.max_measurements, table_size(num_options)
    if has_table(spec) and 0 < most <= needed:
        raise InvalidArgument.of(
            "search.max_measurements",
            f"a latency table of this space takes {needed} measurements and the front some more, got {most}",
        )


def check_feasibility(table: searcher_pb2.FeasibilityTable) -> None:
    """Raises FailedPrecondition for a bound that no network of the space can meet, with what it could be."""
    for row in table.rows:
        if not row.feasible:
            metric = common_pb2.Metric.Name(row.metric).removeprefix("METRIC_").lower()
            place = f"{metric} on {row.device}" if row.device else metric
            raise FailedPrecondition(
                f"search.bounds: no network of the space meets the bound on {place}; the smallest has "
                f"{row.smallest:.6g}, the median {row.median:.6g}, the largest {row.largest:.6g}",
                reason="BOUND_NOT_MET",
            )


def check_costs(spec: Spec, costs: Sequence[distiller_pb2.CostRange]) -> None:
    """Raises FailedPrecondition for a bound on a cost that no network of the space can meet."""
    ranges = {common_pb2.Metric.Name(c.metric).removeprefix("METRIC_").lower(): c for c in costs}
    for index, bound in enumerate(spec.search.bounds):
        known = ranges.get(bound.metric)
        if known is None:
            continue
        if bound.max is not None and known.smallest > bound.max:
            raise FailedPrecondition(
                f"search.bounds[{index}]: no network has {bound.metric} of at most {bound.max:g}; "
                f"the smallest has {known.smallest:g}",
                reason="BOUND_NOT_MET",
            )
        if bound.min is not None and known.largest < bound.min:
            raise FailedPrecondition(
                f"search.bounds[{index}]: no network has {bound.metric} of at least {bound.min:g}; "
                f"the largest has {known.largest:g}",
                reason="BOUND_NOT_MET",
            )
