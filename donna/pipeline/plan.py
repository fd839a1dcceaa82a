"""What a run will do and cost, before it starts. Pure.

Work is counted from the spec and the services' own plans. Time is estimated from what was measured: the services
train a few steps where they will train, and a device has measured something. What nothing was measured for stays
unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from donna.pipeline import budget, messages
from donna.pipeline.sections import FinetuneRecipe
from donna.pipeline.spec import Spec
from donna.pipeline.turns import ROUNDS
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2

PROBED = {"reference": "reference.train", "samples": "predictor.finetune", "finetune": "finetune"}
"""Phases of whole networks, with their recipe's place in the spec."""
COPIES = 2
"""A block is stored twice: its weights, and its ONNX fragment with the same weights in it."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase as a run times it: its work by name, and how its time comes about.

    `units` pieces that workers share take `unit_s` seconds each on one worker; devices take `device_s` beside that,
    whatever workers there are; `workers` are those that there are. None: not known. `source` tells what was measured.
    """

    name: str
    work: Mapping[str, float]
    units: float = 0
    unit_s: float | None = 0.0
    device_s: float | None = 0.0
    workers: int = 1
    source: str = ""

    def seconds(self, workers: int = 0, speed: float = 1.0) -> float | None:
        """On so many workers, or on those that there are, each `speed` times as fast as one of these."""
        if self.unit_s is None or self.device_s is None:
            return None
        turns = math.ceil(self.units / (workers or self.workers))
        return turns * self.unit_s / speed + self.device_s


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`disk_bytes` is what is stored at most, `memory_bytes` what one group of blocks takes in training."""

    num_architectures: int
    phases: tuple[Phase, ...]
    disk_bytes: float
    memory_bytes: float

    def seconds(self, workers: int = 0, speed: float = 1.0) -> dict[str, float | None]:
        """Of each phase by its name."""
        return {phase.name: phase.seconds(workers, speed) for phase in self.phases}


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
    measurement_s: Mapping[str, float | None],
) -> Plan:
    """From the services' answers to `validate_only`, by phase, and the time of a measurement on each device."""
    on_devices = Devices(measurement_s)
    bounds = budget.looked_at(spec)
    improved = spec.improve.rounds * spec.improve.networks
    samples = spec.predictor.samples + spec.predictor.holdout + improved
    searched = (1 + spec.improve.rounds) * budget.searched(spec, library.num_options)
    phases = [
        _reference(spec, trained.get("reference"), on_devices),
        _library(spec, library),
        *([on_devices.at_once("bounds", bounds)] if bounds else []),
        _networks("samples", trained["samples"].plan, samples, spec.predictor.finetune.epochs),
        on_devices.at_once("search", searched, ROUNDS),
        on_devices.at_once("baselines", budget.baselines(spec) if searched else 0),
        _networks("finetune", trained["finetune"].plan, spec.finetune.winners, spec.finetune.epochs),
        on_devices.in_turns("measure", budget.models(spec)),
    ]
    return Plan(
        num_architectures=int(library.num_architectures),
        phases=tuple(phases),
        disk_bytes=_disk_bytes(spec, library),
        memory_bytes=float(library.plan.estimated_memory_bytes),
    )


Joined = Callable[[Iterable[float]], float]


class Devices:
    """The devices of a run as time: all measure a search's networks at once, and models one device after the other."""

    def __init__(self, measurement_s: Mapping[str, float | None]) -> None:
        self._each_s = list(measurement_s.values())

    def at_once(self, name: str, networks: int, models: int = 0) -> Phase:
        """Every network on every device, and then so many models in turns."""
        return self._phase(name, networks, models)

    def in_turns(self, name: str, networks: int) -> Phase:
        """The same, one measurement at a time."""
        return self._phase(name, 0, networks)

    def time_s(self, networks: int, join: Joined = math.fsum) -> float | None:
        """None as long as a device has measured nothing."""
        if not networks or not self._each_s:
            return 0.0
        known = [each_s for each_s in self._each_s if each_s is not None]
        return networks * join(known) if len(known) == len(self._each_s) else None

    def _phase(self, name: str, at_once: int, in_turns: int) -> Phase:
        work = {"measurements_at_most": (at_once + in_turns) * len(self._each_s)}
        times = self.time_s(at_once, max), self.time_s(in_turns)
        return Phase(
            name=name,
            work=work,
            device_s=None if None in times else math.fsum(t for t in times if t is not None),
            source="measurements on the devices" if at_once + in_turns else "",
        )


def _reference(spec: Spec, job: finetuner_pb2.FinetuneJob | None, on_devices: Devices) -> Phase:
    """The reference is trained, if it is to be, and measured once on every device."""
    train = spec.reference.train
    measured_s = on_devices.time_s(1)
    if train is None or job is None:
        return Phase(name="reference", work={"networks": 0}, device_s=measured_s)
    found = _networks("reference", job.plan, 1, train.epochs)
    return Phase(
        name="reference",
        work=found.work,
        units=found.units,
        unit_s=found.unit_s,
        device_s=measured_s,
        source=found.source,
    )


def _library(spec: Spec, library: distiller_pb2.BlockLibrary) -> Phase:
    plan = library.plan
    blocks = plan.blocks_to_train
    estimated = plan.estimated_s / blocks if blocks else 0.0
    return Phase(
        name="library",
        work={
            "blocks": blocks,
            "block_epochs": blocks * spec.distillation.epochs,
            "blocks_known_already": plan.blocks_to_reuse,
        },
        units=blocks,
        unit_s=estimated or (None if blocks else 0.0),
        workers=max(1, plan.workers),
        source=plan.estimated_from,
    )


def _networks(phase: str, plan: finetuner_pb2.FinetunePlan, networks: int, epochs: float) -> Phase:
    """Whole networks, each at the pace of the one that was tried: the reference, before there are others."""
    known = phase == "reference" and plan.networks_to_reuse > 0
    to_train = 0 if known else networks
    unit_s = plan.estimated_s / plan.networks_to_train if plan.networks_to_train else 0.0
    tried = (
        f"{plan.estimated_from}, at the pace of the reference"
        if phase != "reference"
        else plan.estimated_from
    )
    return Phase(
        name=phase,
        work={"networks": to_train, "network_epochs": to_train * epochs},
        units=to_train,
        unit_s=unit_s or (None if to_train and epochs else 0.0),
        workers=max(1, plan.workers),
        source=tried,
    )


def _disk_bytes(spec: Spec, library: distiller_pb2.BlockLibrary) -> float:
    """All options of all blocks and all whole networks, were each as large as the mean of the smallest and the
    largest; a network that is exported is there twice, as a block is."""
    sizes = [c for c in library.plan.costs if c.metric == common_pb2.METRIC_MODEL_BYTES]
    if not sizes or not library.num_options:
        return 0.0
    network_bytes = (sizes[0].smallest + sizes[0].largest) / 2
    options = sum(library.num_options) / len(library.num_options)
    samples = spec.predictor.samples + spec.predictor.holdout + spec.improve.rounds * spec.improve.networks
    return network_bytes * (COPIES * options + samples + COPIES * (1 + spec.finetune.winners))
