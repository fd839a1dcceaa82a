"""Finetune messages <-> the records of this service. Zero on the wire means the default where the contract
says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from donna.artifacts import URI_PREFIX
from donna.errors import InvalidArgument
from donna.jobs import Job, Task
from donna.rpc import messages
from donna.space import Architecture
from donna.v1 import common_pb2
from donna.v1 import finetuner_pb2 as pb
from services.finetuner.recipe import Recipe
from services.finetuner.request import ExportSettings, NetworkRequest, Request

_DEFAULTED = ("batch_size", "learning_rate", "temperature", "optimizer", "processes")
_PARTS = {
    pb.EVALUATION_PART_UNSPECIFIED: "validation",
    pb.EVALUATION_PART_VALIDATION: "validation",
    pb.EVALUATION_PART_TEST: "test",
}
_INITIALIZATIONS = {
    pb.INITIALIZATION_UNSPECIFIED: "pretrained",
    pb.INITIALIZATION_PRETRAINED: "pretrained",
    pb.INITIALIZATION_RANDOM: "random",
}


def read_spec(spec: pb.FinetuneSpec) -> Request:
    """The request, each field checked for itself. Raises InvalidArgument naming the wrong field."""
    if not spec.HasField("recipe"):
        raise InvalidArgument.of("recipe", "is required; epochs: 0 only evaluates")
    return Request(
        library=messages.read_artifact(spec.library, "library") if spec.HasField("library") else None,
        reference=messages.reference_to_dict(spec.reference) if spec.HasField("reference") else {},
        dataset=messages.dataset_to_dict(spec.dataset) if spec.HasField("dataset") else {},
        networks=tuple(_read_network(network, i) for i, network in enumerate(spec.networks)),
        recipe=_read_recipe(spec.recipe),
        evaluate_on=_known(_PARTS, spec.evaluate_on, "evaluate_on"),
        export=_read_export(spec.export) if spec.HasField("export") else None,
    )


def _read_network(network: pb.Network, i: int) -> NetworkRequest:
    which = network.WhichOneof("network")
    if which is None or (which == "reference" and not network.reference):
        raise InvalidArgument.of(f"networks[{i}]", "must be an architecture, or reference: true")
    field = f"networks[{i}].weights"
    return NetworkRequest(
        architecture=messages.read_architecture(network.architecture) if which == "architecture" else None,
        weights=messages.read_artifact(network.weights, field) if network.HasField("weights") else None,
    )


def _read_recipe(recipe: pb.FinetuneRecipe) -> Recipe:
    raw = {field.name: getattr(recipe, field.name) for field in recipe.DESCRIPTOR.fields}
    raw["initialization"] = _known(_INITIALIZATIONS, recipe.initialization, "recipe.initialization")
    return Recipe.parse({name: value for name, value in raw.items() if value or name not in _DEFAULTED})


def _read_export(export: pb.ExportSpec) -> ExportSettings:
    raw = {field.name: getattr(export, field.name) for field in export.DESCRIPTOR.fields}
    return ExportSettings.parse({name: value for name, value in raw.items() if value})


def _known(words: dict[Any, str], value: int, field: str) -> str:
    if value not in words:
        raise InvalidArgument.of(field, f"{value} is not a value of this enumeration")
    return words[value]


def spec_message(raw: dict[str, Any]) -> pb.FinetuneSpec:
    """A job's spec on the wire."""
    request = Request.parse(raw)
    recipe = request.recipe.to_dict()
    message = pb.FinetuneSpec(
        reference=_reference_message(request.reference),
        dataset=messages.dataset_message(request.dataset),
        networks=[_network_message(network.to_dict()) for network in request.networks],
        recipe=pb.FinetuneRecipe(
            **{**recipe, "initialization": f"INITIALIZATION_{recipe['initialization'].upper()}"}
        ),
        evaluate_on=f"EVALUATION_PART_{request.evaluate_on.upper()}",
        export=pb.ExportSpec(**raw["export"]) if raw["export"] is not None else None,
    )
    if request.library:
        message.library.CopyFrom(_artifact_message({"sha256": request.library}))
    return message


def job_message(job: Job, tasks: Sequence[Task]) -> pb.FinetuneJob:
    """A job on the wire, with the networks that are done."""
    message = pb.FinetuneJob(
        name=job.name,
        spec=spec_message(job.spec),
        job=messages.job_message(job),
        networks=[_result_message(task.result, task.reused) for task in tasks if task.result is not None],
    )
    message.job.cost.networks_reused += sum(task.reused for task in tasks)
    return message


def _result_message(result: dict[str, Any], reused: bool) -> pb.FinetunedNetwork:
    message = pb.FinetunedNetwork(network=_network_message(result), reused=reused)
    for name in ("error", "int8_error"):
        if name in result:
            getattr(message, name).CopyFrom(common_pb2.Error(**result[name]))
    for name in ("accuracy", "loss", "num_samples", "parameters", "macs", "train_s"):
        if name in result:
            setattr(message, name, result[name])
    if "artifact" in result:
        message.weights.CopyFrom(_artifact_message(result["artifact"]))
    for name in ("model", "int8_model"):
        if name in result:
            model = {**result[name], "onnx": _artifact_message(result[name]["onnx"])}
            getattr(message, name).CopyFrom(pb.ExportedModel(**model))
    return message


def known_network(network: NetworkRequest, result: Mapping[str, Any]) -> pb.FinetunedNetwork:
    """A network that was trained before, with the weights that came of it."""
    return pb.FinetunedNetwork(
        network=_network_message(network.to_dict()),
        weights=_artifact_message(result["weights"]),
        train_s=result["train_s"],
        reused=True,
    )


def _network_message(raw: dict[str, Any]) -> pb.Network:
    message = pb.Network()
    if raw["network"] == "reference":
        message.reference = True
    else:
        message.architecture.CopyFrom(messages.architecture_message(Architecture.parse(raw["network"])))
    if raw.get("weights"):
        message.weights.CopyFrom(_artifact_message({"sha256": raw["weights"]}))
    return message


def _artifact_message(raw: dict[str, Any]) -> common_pb2.Artifact:
    return common_pb2.Artifact(
        uri=URI_PREFIX + raw["sha256"], sha256=raw["sha256"], size_bytes=raw.get("size_bytes", 0)
    )


def _reference_message(raw: dict[str, Any]) -> common_pb2.Reference:
    message = common_pb2.Reference(
        provider=raw["provider"],
        arguments=messages.dict_to_struct(raw.get("arguments") or {}),
        provenance=raw.get("provenance") or {},
    )
    if raw.get("weights"):
        message.weights.CopyFrom(_artifact_message({"sha256": raw["weights"]}))
    return message
