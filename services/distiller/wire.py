"""Block libraries on the wire <-> the records of this service. Zero means the default where the contract says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from donna.artifacts import Artifact
from donna.errors import InvalidArgument
from donna.jobs import Job, Task
from donna.jobs.store import check_page_size
from donna.rpc import messages
from donna.space import Entry, Library
from donna.space.settling import SETTLED
from donna.v1 import common_pb2
from donna.v1 import distiller_pb2 as pb
from services.distiller.admission import Planned

T = TypeVar("T")
_METRICS = {
    "parameters": common_pb2.METRIC_PARAMETERS,
    "macs": common_pb2.METRIC_MACS,
    "weight_bytes": common_pb2.METRIC_MODEL_BYTES,
    "activation_bytes": common_pb2.METRIC_ACTIVATION_BYTES,
}
_DEFAULTED = (
    "epochs",
    "batch_size",
    "learning_rate",
    "optimizer",
    "calibration_batches",
    "quality_points",
    "precision",
)


def read_spec(spec: pb.BlockLibrarySpec) -> dict[str, Any]:
    """The request as JSON, not checked yet. Raises InvalidArgument naming a field that is missing."""
    for field in ("reference", "dataset", "recipe"):
        if not spec.HasField(field):
            raise InvalidArgument.of(field, "is required")
    recipe = {field.name: getattr(spec.recipe, field.name) for field in spec.recipe.DESCRIPTOR.fields}
    if not spec.recipe.HasField("warmup_fraction"):
        del recipe["warmup_fraction"]
    return {
        "reference": messages.reference_to_dict(spec.reference),
        "dataset": messages.dataset_to_dict(spec.dataset),
        "blocks": [{"name": block.name, "options": list(block.options)} for block in spec.blocks],
        "recipe": {name: value for name, value in recipe.items() if value or name not in _DEFAULTED},
    }


def spec_message(spec: Mapping[str, Any]) -> pb.BlockLibrarySpec:
    """The spec of an admitted request, every default written out."""
    reference, dataset, recipe = spec["reference"], spec["dataset"], spec["recipe"]
    message = pb.BlockLibrarySpec(
        reference=common_pb2.Reference(
            provider=reference["provider"],
            arguments=messages.dict_to_struct(reference["arguments"]),
            provenance=reference["provenance"],
        ),
        dataset=messages.dataset_message(dataset),
        blocks=[pb.BlockSpace(name=block["name"], options=block["options"]) for block in spec["blocks"]],
    )
    known = {field.name for field in pb.DistillationRecipe.DESCRIPTOR.fields}
    message.recipe.CopyFrom(pb.DistillationRecipe(**{k: v for k, v in recipe.items() if k in known}))
    if reference["weights"]:
        message.reference.weights.sha256 = reference["weights"]
        message.reference.weights.uri = Artifact(sha256=reference["weights"], size_bytes=0).uri
    return message


def library_message(job: Job, tasks: Sequence[Task]) -> pb.BlockLibrary:
    """A library as its job stands. The plan travels with the tasks; groups that were split count as two."""
    counts = [len(block["options"]) for block in job.spec["blocks"]]
    message = pb.BlockLibrary(name=job.name, spec=spec_message(job.spec), job=messages.job_message(job))
    if job.result is not None:
        message.manifest.CopyFrom(messages.artifact_message(Artifact(**job.result["manifest"])))
        counts = job.result["num_options"]
        message.settling.extend(_settling_message(block) for block in job.result.get("settling", ()))
    _describe_space(message, counts)
    message.plan.CopyFrom(_plan_message(tasks[0].spec["plan"]))
    message.plan.groups += sum((task.result or {}).get("splits", 0) for task in tasks)
    return message


def planned_message(planned: Planned, workers: int) -> pb.BlockLibrary:
    """A library that was only validated, for so many workers: no name, no job."""
    message = pb.BlockLibrary(spec=spec_message(planned.request.to_dict()))
    _describe_space(message, [len(options) for options in planned.request.options])
    message.plan.CopyFrom(_plan_message(planned.record()))
    message.plan.workers = workers
    return message


def _plan_message(record: Mapping[str, Any]) -> pb.DistillationPlan:
    message = pb.DistillationPlan(**{name: value for name, value in record.items() if name != "costs"})
    for cost, (smallest, largest) in record["costs"].items():
        message.costs.add(metric=_METRICS[cost], smallest=smallest, largest=largest)
    return message


def _settling_message(settling: Mapping[str, Any]) -> pb.BlockSettling:
    correlation = settling["rank_correlation"]
    settled = correlation is None or correlation >= SETTLED
    return pb.BlockSettling(block=settling["block"], rank_correlation=correlation, settled=settled)


def _describe_space(message: pb.BlockLibrary, counts: Sequence[int]) -> None:
    message.num_blocks = len(counts)
    message.num_options.extend(counts)
    size = 1
    for number in counts:
        size *= number
    message.num_architectures = str(size)


def entries(library: Library) -> list[tuple[int, int, Entry]]:
    """Every entry with the numbers of its block and its option, in that order."""
    return [(n, m, entry) for n, block in enumerate(library.blocks) for m, entry in enumerate(block.entries)]


def page(found: Sequence[T], page_size: int, token: str) -> tuple[Sequence[T], str]:
    """One page of entries and the token of the next, which is where it starts.

    Raises InvalidArgument for a negative size or a token that was not made here.
    """
    size = check_page_size(page_size)
    digits = token.isascii() and token.isdigit() and len(token) < 20
    if token and not (digits and int(token) < len(found)):
        raise InvalidArgument.of("page_token", "was not made by this service")
    start = int(token or 0)
    end = start + size
    return found[start:end], str(end) if end < len(found) else ""


def entry_message(n: int, m: int, entry: Entry, describe: Callable[[str], Artifact]) -> pb.BlockEntry:
    """Option m of block n; `describe` tells an artifact by its hash."""
    return pb.BlockEntry(
        block=n,
        choice=m,
        option=entry.option,
        nsr=entry.quality,
        qualities=entry.qualities,
        parameters=entry.parameters,
        macs=entry.macs,
        weight_bytes=entry.weight_bytes,
        activation_bytes=entry.activation_bytes,
        weights=messages.artifact_message(describe(entry.weights)),
        fragment=messages.artifact_message(describe(entry.fragment)),
        key=entry.key,
        curve=[pb.QualityPoint(step=step, nsr=nsr) for step, nsr in entry.curve],
    )
