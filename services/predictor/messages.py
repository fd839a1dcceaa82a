"""Requests checked and read, records written: protobuf <-> the predictor's own terms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np

from donna.artifacts import Artifact
from donna.errors import Checks, InvalidArgument
from donna.jobs import Job
from donna.rpc.messages import architecture_message, artifact_message, job_message, read_artifact
from donna.space import Architecture, Library
from donna.space.accuracy_tables import AccuracyTables
from donna.space.target import Target
from donna.v1 import common_pb2
from donna.v1 import predictor_pb2 as pb
from services.predictor.features import Order
from services.predictor.fit import FitOptions
from services.predictor.metrics import Metrics
from services.predictor.selection import STRENGTHS

MIN_SAMPLES, MAX_SAMPLES = 3, 2000
MAX_STRENGTHS = 100

_TARGETS: dict[pb.Target, Target] = {
    pb.TARGET_ACCURACY: "accuracy",
    pb.TARGET_NEGATIVE_LOG_ERROR: "negative_log_error",
}
_TARGET_NUMBERS = {name: number for number, name in _TARGETS.items()}


def read_samples(
    samples: Sequence[pb.AccuracySample],
    library: Library,
    field: str,
    *,
    at_least: int,
    known: Iterable[tuple[int, ...]] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """(S, N) choices and (S,) accuracies. Raises InvalidArgument with every sample that is wrong:
    not in the space, given twice, one of the `known`, or with an accuracy that is not in [0, 1]."""
    if not at_least <= len(samples) <= MAX_SAMPLES:
        raise InvalidArgument.of(field, f"must be {at_least} to {MAX_SAMPLES} samples, got {len(samples)}")
    checks = Checks()
    first: dict[tuple[int, ...], int] = {}
    fitted = set(known)
    for index, sample in enumerate(samples):
        choices = tuple(sample.architecture.choices)
        where = f"{field}[{index}].architecture"
        text = str(Architecture(choices=choices))
        try:
            Architecture(choices=choices).check(library.num_options)
        except InvalidArgument as error:
            checks.field(where, False, error.violations[0].description)
        before = first.setdefault(choices, index)
        checks.field(where, before == index, f"{text} is given twice, first as {field}[{before}]")
        checks.field(where, choices not in fitted, f"{text} was used to fit the predictor")
        inside = 0.0 <= sample.accuracy <= 1.0
        checks.field(f"{field}[{index}].accuracy", inside, f"must be in [0, 1], got {sample.accuracy:g}")
    checks.done()
    return (
        np.array([list(sample.architecture.choices) for sample in samples], dtype=np.int64),
        np.array([sample.accuracy for sample in samples], dtype=np.float64),
    )


def read_options(spec: pb.PredictorSpec) -> FitOptions:
    """How to fit. Raises InvalidArgument with every field that is wrong."""
    checks = Checks()
    checks.field("spec.order", spec.order in (0, 1, 2), f"must be 1 or 2, or 0 to choose, got {spec.order}")
    known = spec.target == 0 or spec.target in _TARGETS
    checks.field("spec.target", known, f"is not a target of this version: {spec.target}")
    number = len(spec.ridge_strengths)
    checks.field("spec.ridge_strengths", number <= MAX_STRENGTHS, f"at most {MAX_STRENGTHS}, got {number}")
    for index, strength in enumerate(spec.ridge_strengths[:MAX_STRENGTHS]):
        positive = math.isfinite(strength) and strength > 0
        place = f"spec.ridge_strengths[{index}]"
        checks.field(place, positive, f"must be positive and finite, got {strength:g}")
    distinct = len(set(spec.qualities)) == len(spec.qualities)
    checks.field("spec.qualities", distinct, f"must be distinct, got {', '.join(spec.qualities)}")
    checks.field("spec.seed", spec.seed >= 0, f"must not be negative, got {spec.seed}")
    level = spec.interval_coverage
    inside = 0.0 <= level < 1.0
    checks.field("spec.interval_coverage", inside, f"must be in (0, 1), or 0 for 0.9, got {level:g}")
    checks.done()
    return FitOptions(
        order=cast(Order, spec.order) or None,
        target=_TARGETS.get(spec.target),
        strengths=tuple(sorted(spec.ridge_strengths)) or STRENGTHS,
        qualities=tuple(spec.qualities),
        seed=spec.seed,
        coverage=level or 0.9,
    )


def job_spec(spec: pb.PredictorSpec, library: Library) -> dict[str, Any]:
    """A checked request as the spec of a job, see FitWork. Raises InvalidArgument."""
    options = read_options(spec)
    choices_SN, accuracy_S = read_samples(spec.samples, library, "spec.samples", at_least=MIN_SAMPLES)
    return {
        "library": read_artifact(spec.library, "spec.library"),
        "choices": choices_SN.tolist(),
        "accuracies": accuracy_S.tolist(),
        "options": asdict(options)
        | {"strengths": list(options.strengths), "qualities": list(options.qualities)},
    }


def predictor_message(job: Job, library: common_pb2.Artifact) -> pb.Predictor:
    """A predictor's job, and its result when it has one, on the wire."""
    spec, options = job.spec, job.spec["options"]
    message = pb.Predictor(
        name=job.name,
        spec=pb.PredictorSpec(
            library=library,
            samples=[
                pb.AccuracySample(architecture=architecture_message(choices), accuracy=accuracy)
                for choices, accuracy in zip(spec["choices"], spec["accuracies"], strict=True)
            ],
            order=options["order"] or 0,
            target=_TARGET_NUMBERS.get(options["target"], pb.TARGET_UNSPECIFIED),
            ridge_strengths=[] if tuple(options["strengths"]) == STRENGTHS else options["strengths"],
            qualities=options["qualities"],
            seed=options["seed"],
            interval_coverage=options["coverage"],
        ),
        job=job_message(job),
    )
    if job.result is None or "model" not in job.result:
        return message
    result = job.result
    message.order = result["order"]
    message.target = _TARGET_NUMBERS[result["target"]]
    message.ridge_strength = result["strength"]
    message.qualities.extend(result["qualities"])
    message.leave_one_out.CopyFrom(_agreement(result["metrics"], result["covered"]))
    message.learning_curve.extend(pb.LearningCurvePoint(**point) for point in result["learning_curve"])
    message.samples.extend(
        predicted_samples(
            spec["choices"], spec["accuracies"], result["predicted"], result["low"], result["high"]
        )
    )
    message.model.CopyFrom(artifact_message(Artifact(**result["model"])))
    message.library_lineage = result["lineage"]
    return message


def agreement_message(metrics: Metrics, covered: float) -> pb.PredictionAgreement:
    """Agreement on the wire; undefined figures are NaN."""
    return _agreement(asdict(metrics), covered)


def predicted_samples(choices: Any, accuracies: Any, predicted: Any, low: Any, high: Any) -> list[Any]:
    """Samples with their predictions, on the wire."""
    return [
        pb.PredictedSample(
            architecture=architecture_message(row), accuracy=y, predicted_accuracy=p, low=below, high=above
        )
        for row, y, p, below, above in zip(choices, accuracies, predicted, low, high, strict=True)
    ]


def _agreement(metrics: dict[str, Any], covered: float) -> pb.PredictionAgreement:
    estimates = {
        name: pb.Estimate(**{end: math.nan if v is None else v for end, v in metrics[name].items()})
        for name in ("kendall_tau", "spearman", "r2", "mse")
    }
    return pb.PredictionAgreement(num_samples=metrics["num_samples"], interval_coverage=covered, **estimates)


def tables_message(tables: AccuracyTables) -> pb.PredictorTables:
    """The tables of a predictor on the wire."""
    inputs = tables.inputs or [np.zeros(0)] * len(tables.unary)
    return pb.PredictorTables(
        constant=tables.constant,
        blocks=[
            pb.PredictorBlockTables(
                unary=_doubles(unary_M), inputs=_doubles(z_MK), extrapolated=unseen_M.tobytes()
            )
            for unary_M, z_MK, unseen_M in zip(tables.unary, inputs, tables.unseen, strict=True)
        ],
        cross=_doubles(tables.cross_DD) if tables.inputs else b"",
        target=_TARGET_NUMBERS[tables.target],
        half_width=tables.half_width,
    )


def _doubles(values: np.ndarray) -> bytes:
    return values.astype("<f8").tobytes()
