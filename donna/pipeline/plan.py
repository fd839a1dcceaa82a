"""What a run will do and cost, before it starts, and how far off the plans of earlier runs were.

Work is counted from the spec and the services' own plans. Time is estimated from what was measured: the services
train a few steps on this machine; the profiler remembers how long measurements took. What nothing was measured
for stays unknown.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from donna.client import Client
from donna.errors import DonnaError
from donna.pipeline import messages
from donna.pipeline.folder import read_result
from donna.pipeline.spec import FinetuneRecipe, Spec
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, profiler_pb2

PROBED = {"reference": "reference.train", "samples": "predictor.finetune", "finetune": "finetune"}
"""Phases of whole networks, with their recipe's place in the spec."""
MEASUREMENTS_ASKED = 100
COPIES = 2
"""A block is stored twice: its weights, and its ONNX fragment with the same weights in it."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase as a run times it: its work by name, seconds on one worker here (None: unknown), and from what."""

    name: str
    work: Mapping[str, float]
    seconds: float | None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`disk_bytes` is what the library takes at most; `memory_bytes` what one group of blocks takes in training."""

    num_architectures: int
    phases: tuple[Phase, ...]
    disk_bytes: float
    memory_bytes: float

    def scaled(self, workers: int, speed: float) -> dict[str, float | None]:
        """Seconds of each phase on `workers` workers, each `speed` times as fast as one here.

        Devices measure at their own pace, and one reference cannot be trained by many.
        """
        share = {"library": workers * speed, "samples": workers * speed, "finetune": workers * speed}
        share |= {"reference": speed}
        return {
            phase.name: None if phase.seconds is None else phase.seconds / share.get(phase.name, 1.0)
            for phase in self.phases
        }


def recipes(
    spec: Spec, weights: common_pb2.Artifact | None = None
) -> Iterator[tuple[str, finetuner_pb2.FinetuneSpec]]:
    """A request for each recipe of the spec, by its phase. Before there is a library the reference carries them."""
    if spec.reference.train is not None:
        yield "reference", messages.reference_alone(spec, weights)
    for phase, recipe in (("samples", spec.predictor.finetune), ("finetune", spec.finetune)):
        plain = recipe.model_dump(include=set(FinetuneRecipe.model_fields)) | {"soft_weight": 0.0}
        yield phase, messages.reference_alone(spec, weights, FinetuneRecipe(**plain))


def make_plan(
    spec: Spec,
    library: distiller_pb2.BlockLibrary,
    trained: Mapping[str, finetuner_pb2.FinetuneJob],
    measurement_s: float | None,
) -> Plan:
    """The plan of a run from the services' answers to `validate_only`, by phase, and the time of a measurement."""
    work = library.plan
    samples = spec.predictor.samples + spec.predictor.holdout
    measured = measurements(spec)
    pace = {phase: _pace(job) for phase, job in trained.items()}

    def finetuning(phase: str, networks: float, epochs: float) -> Phase:
        seconds, source = pace.get(phase, (None, ""))
        return Phase(
            name=phase,
            work={"networks": networks, "network_epochs": networks * epochs},
            seconds=None if seconds is None else networks * seconds,
            source=source and f"{source}, at the pace of the reference",
        )

    rounds, improved = spec.improve.rounds, spec.improve.rounds * spec.improve.networks
    train = spec.reference.train
    phases = [
        *([finetuning("reference", 1, train.epochs)] if train is not None else []),
        Phase(
            name="library",
            work={
                "blocks": work.blocks_to_train,
                "block_epochs": work.blocks_to_train * spec.distillation.epochs,
                "blocks_known_already": work.blocks_to_reuse,
            },
            seconds=0.0 if not work.blocks_to_train else work.estimated_s or None,
            source=work.estimated_from,
        ),
        finetuning("samples", samples + improved, spec.predictor.finetune.epochs),
        Phase(
            name="search",
            work={"measurements_at_most": (1 + rounds) * measured},
            seconds=None
            if measurement_s is None and measured
            else (1 + rounds) * measured * (measurement_s or 0.0),
            source="measurements of this device so far",
        ),
        finetuning("finetune", spec.finetune.winners, spec.finetune.epochs),
    ]
    return Plan(
        num_architectures=int(library.num_architectures),
        phases=tuple(phases),
        disk_bytes=_disk_bytes(library),
        memory_bytes=float(work.estimated_memory_bytes),
    )


def measurements(spec: Spec) -> int:
    """Networks that one search measures at most."""
    search = spec.search
    if "latency_ms" not in {o.metric for o in search.objectives} | {b.metric for b in search.bounds}:
        return 0
    evaluations = search.population * search.generations if search.algorithm == "nsga2" else search.population
    measured = evaluations if search.latency == "measured" else search.population
    return min(measured, search.max_measurements or measured)


def measurement_s(client: Client, device: str) -> float | None:
    """The median time of the latest measurements on a device, in seconds; None when there are fewer than three."""
    profiler = client.profilers.get(device)
    if profiler is None:
        return None
    request = profiler_pb2.ListMeasurementsRequest(page_size=MEASUREMENTS_ASKED)
    try:
        found = profiler.ListMeasurements(request).measurements
    except DonnaError:
        return None
    times = [
        (m.job.end_time.ToNanoseconds() - m.job.start_time.ToNanoseconds()) / 1e9
        for m in found
        if m.job.state == common_pb2.JOB_STATE_SUCCEEDED and m.job.cost.measurements
    ]
    return statistics.median(times) if len(times) >= 3 else None


def earlier(folder: Path) -> list[dict[str, Any]]:
    """Planned and actual seconds of each phase of the runs in a folder that were planned, the latest first."""
    files = sorted(folder.glob("*/result.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = []
    for path in files:
        try:
            result = read_result(path.parent)
            planned = result.get("planned_s") or {}
            actual = {phase: result["timings_s"][phase] for phase in planned if phase in result["timings_s"]}
        except (DonnaError, KeyError, TypeError, AttributeError):
            continue  # of another version, or no run at all
        if actual:
            planned = {phase: planned[phase] for phase in actual}
            found.append({"run": str(path.parent), "planned_s": planned, "actual_s": actual})
    return found


def _pace(job: finetuner_pb2.FinetuneJob) -> tuple[float | None, str]:
    """Seconds to train one network by a recipe, and what they were measured on."""
    plan = job.plan
    if not plan.networks_to_train:
        return None, plan.estimated_from
    return plan.estimated_s / plan.networks_to_train or None, plan.estimated_from


def _disk_bytes(library: distiller_pb2.BlockLibrary) -> float:
    """All options of all blocks, were each as large as the mean of its block's smallest and largest."""
    sizes: Sequence[Any] = [c for c in library.plan.costs if c.metric == common_pb2.METRIC_MODEL_BYTES]
    if not sizes or not library.num_options:
        return 0.0
    options = sum(library.num_options) / len(library.num_options)
    return COPIES * options * (sizes[0].smallest + sizes[0].largest) / 2
