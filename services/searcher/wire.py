"""Searches between the wire and the domain: requests are checked here, once, naming every wrong field."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format

from donna.errors import Checks, InvalidArgument, Violation
from donna.jobs.record import Job
from donna.rpc.messages import architecture_message, check_name, job_message, read_artifact
from donna.v1 import common_pb2
from donna.v1 import searcher_pb2 as pb
from services.searcher.metric import Bound, Metric
from services.searcher.spec import EXACT, MEASURED, NSGA2, TABLE, TABLE_REFINED, SearchSpec

MAX_POPULATION = 10_000
MAX_GENERATIONS = 100_000

_ALGORITHMS = {
    pb.SEARCH_ALGORITHM_UNSPECIFIED: NSGA2,
    pb.SEARCH_ALGORITHM_NSGA2: NSGA2,
    pb.SEARCH_ALGORITHM_EXACT: EXACT,
}
_MODES = {
    pb.LATENCY_MODE_UNSPECIFIED: MEASURED,
    pb.LATENCY_MODE_MEASURED: MEASURED,
    pb.LATENCY_MODE_TABLE: TABLE,
    pb.LATENCY_MODE_TABLE_REFINED: TABLE_REFINED,
}


def read_spec(message: pb.SearchSpec, *, to_run: bool) -> SearchSpec:
    """A request's spec with its defaults filled in. Raises InvalidArgument naming every wrong field.

    Only a search that is run needs a library, and a predictor for its accuracies; a check goes without.

    What depends on the library (choices of `initial`) and on the world (devices, predictor) is checked later.
    """
    checks = Checks()
    library = ""
    if to_run or message.HasField("library"):
        library = _read(checks, "", lambda: read_artifact(message.library, "spec.library"), "")
    if message.predictor:
        _read(checks, "", lambda: check_name(message.predictor, "predictors", "spec.predictor"), "")
    objectives = [
        _metric(checks, f"spec.objectives[{i}]", objective.metric, objective.device)
        for i, objective in enumerate(message.objectives)
    ]
    known = [metric for metric in objectives if metric is not None]
    checks.field("spec.objectives", bool(objectives), "at least one objective is needed")
    checks.field("spec.objectives", len(set(known)) == len(known), "every objective may be there only once")
    bounds = [_bound(checks, f"spec.bounds[{i}]", bound) for i, bound in enumerate(message.bounds)]
    population, generations = message.population or 100, message.generations or 50
    checks.field(
        "spec.population",
        4 <= population <= MAX_POPULATION,
        f"must be in 4..{MAX_POPULATION}, got {population}",
    )
    checks.field(
        "spec.generations",
        1 <= generations <= MAX_GENERATIONS,
        f"must be in 1..{MAX_GENERATIONS}, got {generations}",
    )
    checks.field("spec.seed", message.seed >= 0, f"must not be negative, got {message.seed}")
    checks.field(
        "spec.max_measurements",
        message.max_measurements >= 0,
        f"must not be negative, got {message.max_measurements}",
    )
    checks.field(
        "spec.initial",
        len(message.initial) <= MAX_POPULATION,
        f"at most {MAX_POPULATION} architectures, got {len(message.initial)}",
    )
    checks.field("spec.algorithm", message.algorithm in _ALGORITHMS, f"{message.algorithm} is unknown")
    checks.field("spec.latency_mode", message.latency_mode in _MODES, f"{message.latency_mode} is unknown")
    checks.done()
    spec = SearchSpec(
        library=library,
        predictor=message.predictor,
        objectives=tuple(known),
        bounds=tuple(bound for bound in bounds if bound is not None),
        algorithm=_ALGORITHMS[message.algorithm],
        population=population,
        generations=generations,
        seed=message.seed,
        latency_mode=_MODES[message.latency_mode],
        measurement=json_format.MessageToDict(message.measurement, preserving_proto_field_name=True),
        max_measurements=message.max_measurements,
        initial=tuple(tuple(architecture.choices) for architecture in message.initial),
    )
    missing = to_run and spec.needs_predictor and not spec.predictor
    checks.field("spec.predictor", not missing, "is needed for accuracy")
    checks.field(
        "spec.latency_mode",
        not (spec.algorithm == EXACT and spec.devices and spec.latency_mode == MEASURED),
        "the exact front needs latencies that add up: TABLE or TABLE_REFINED",
    )
    checks.done()
    return spec


def _read(checks: Checks, field: str, read: Any, default: Any) -> Any:
    try:
        return read()
    except InvalidArgument as error:
        checks.wrong.extend(
            Violation(field=f"{field}{v.field}", description=v.description) for v in error.violations
        )
        return default


def _metric(checks: Checks, field: str, metric: int, device: str) -> Metric | None:
    known = metric in common_pb2.Metric.values() and metric != common_pb2.METRIC_UNSPECIFIED
    if not checks.field(f"{field}.metric", known, f"{metric} is not a metric"):
        return None
    name = common_pb2.Metric.Name(metric).removeprefix("METRIC_").lower()
    found = _read(checks, f"{field}.", lambda: Metric(name=name, device=device), None)
    # The text form must be readable again: it is what the job keeps.
    return found and _read(checks, f"{field}.", lambda: Metric.parse(str(found)), None)


def _bound(checks: Checks, field: str, message: pb.Bound) -> Bound | None:
    metric = _metric(checks, field, message.metric, message.device)
    if metric is None:
        return None
    low = message.min if message.HasField("min") else None
    high = message.max if message.HasField("max") else None
    try:
        return Bound(metric=metric, minimum=low, maximum=high)
    except InvalidArgument as error:
        checks.wrong.extend(Violation(field=field, description=v.description) for v in error.violations)
        return None


def spec_message(spec: SearchSpec) -> pb.SearchSpec:
    """A spec on the wire, with every default filled in."""
    message = pb.SearchSpec(
        library=common_pb2.Artifact(uri=f"artifact:sha256/{spec.library}", sha256=spec.library)
        if spec.library
        else None,
        predictor=spec.predictor,
        algorithm=f"SEARCH_ALGORITHM_{spec.algorithm}",
        population=spec.population,
        generations=spec.generations,
        seed=spec.seed,
        latency_mode=f"LATENCY_MODE_{spec.latency_mode}",
        measurement=json_format.ParseDict(spec.measurement, common_pb2.MeasurementSettings()),
        max_measurements=spec.max_measurements,
        initial=[architecture_message(choices) for choices in spec.initial],
    )
    for metric in spec.objectives:
        message.objectives.add(metric=metric_value(metric), device=metric.device)
    for bound in spec.bounds:
        _fill(message.bounds.add(metric=metric_value(bound.metric), device=bound.metric.device), bound)
    return message


def _fill(message: pb.Bound, bound: Bound) -> None:
    if bound.minimum is not None:
        message.min = bound.minimum
    if bound.maximum is not None:
        message.max = bound.maximum


def metric_value(metric: Metric) -> Any:
    """A metric's number on the wire."""
    return common_pb2.Metric.Value(f"METRIC_{metric.name.upper()}")


def search_message(job: Job) -> pb.Search:
    """A search as it stands."""
    message = pb.Search(
        name=job.name, spec=spec_message(SearchSpec.from_dict(job.spec)), job=job_message(job)
    )
    found = job.result or {}
    message.front.extend(_point(point) for point in found.get("front", ()))
    message.num_evaluations = found.get("num_evaluations", 0)
    for device, count in found.get("num_measured", {}).items():
        message.num_measured[device] = count
    message.generations.extend(pb.GenerationProgress(**g) for g in found.get("generations", ()))
    message.feasibility.CopyFrom(feasibility_message(found.get("feasibility", [])))
    for device, error in found.get("table_errors", {}).items():
        message.latency_table_errors[device].CopyFrom(pb.LatencyTableError(**error))
    return message


def _point(point: dict[str, Any]) -> pb.FrontPoint:
    plain = {name: value for name, value in point.items() if name not in ("choices", "medians_ms")}
    message = pb.FrontPoint(architecture=architecture_message(point["choices"]), **plain)
    for device, medians in point["medians_ms"].items():
        message.medians_ms[device].values.extend(medians)
    return message


def feasibility_message(rows: list[dict[str, Any]]) -> pb.FeasibilityTable:
    """A feasibility table from the rows' JSON form; two bounds on one metric are shown as one."""
    table = pb.FeasibilityTable()
    for row in rows:
        metric = Metric.parse(row["metric"])
        message = table.rows.add(
            metric=metric_value(metric),
            device=metric.device,
            smallest=row["smallest"],
            median=row["median"],
            largest=row["largest"],
            feasible=row["feasible"],
            estimated=row["estimated"],
        )
        lows = [bound["min"] for bound in row["bounds"] if bound["min"] is not None]
        highs = [bound["max"] for bound in row["bounds"] if bound["max"] is not None]
        if lows or highs:
            low, high = (max(lows) if lows else None), (min(highs) if highs else None)
            message.bound.metric, message.bound.device = metric_value(metric), metric.device
            _fill(message.bound, Bound(metric=metric, minimum=low, maximum=high))
    return table
