"""One network from its request to its result: assemble, train, evaluate, export."""

from __future__ import annotations

import copy
import platform
from pathlib import Path
from typing import Any

import torch
from torch import nn

from donna.artifacts import Artifact, ArtifactStore
from donna.checkpoints import Checkpoints
from donna.errors import ResourceExhausted
from donna.jobs import Report
from donna.nets import costs, weights
from donna.nets.device import choose_device
from services.finetuner import assembly
from services.finetuner.checkpoint import Checkpoint
from services.finetuner.evaluate import Evaluation, evaluate, logits
from services.finetuner.export import Exported, compare, enough, export
from services.finetuner.materials import Materials
from services.finetuner.metadata import metadata
from services.finetuner.quantize import quantize
from services.finetuner.replicas import train_in_group
from services.finetuner.request import NetworkRequest, Request
from services.finetuner.train import Diverged
from services.finetuner.workshop import Workshop


class Trainer:
    """Runs tasks, one after the other, in one process; what they share is loaded once."""

    def __init__(self, artifacts: ArtifactStore, data_root: Path | None, device: str) -> None:
        self._artifacts = artifacts
        self._materials = Materials(artifacts, data_root, choose_device(device))
        self._workshop = Workshop(self._materials)

    def run(
        self,
        request: Request,
        training_key: str,
        report: Report,
        checkpoints: Checkpoints,
    ) -> dict[str, Any]:
        """The result of the one network of `request`, as JSON."""
        asked = request.networks[0]
        known = report.recall([training_key]).get(training_key)
        network = self._workshop.build(
            request,
            asked
            if known is None
            else NetworkRequest(architecture=asked.architecture, weights=known["weights"]["sha256"]),
        )
        if known is None:
            try:
                self._train(network, request, asked, report, checkpoints)
            except Diverged as error:
                checkpoints.clear()
                return {**asked.to_dict(), "error": {"reason": error.reason, "message": error.message}}
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise ResourceExhausted(
                    f"{asked.label} does not fit into memory with batches of {request.recipe.batch_size}; "
                    "make batch_size smaller",
                    reason="OUT_OF_MEMORY",
                ) from error
            known = {
                "weights": _artifact(self._artifacts.put_bytes(weights.dump(network))),
                "train_s": checkpoints.spent_s(),
            }
            trained = float(request.recipe.epochs > 0)
            report.remember(
                training_key, known, networks_trained=trained, network_epochs=request.recipe.epochs
            )
        else:
            report.cost(networks_reused=1)
        checkpoints.clear()
        return self._finish(network, request, asked, known)

    def _train(
        self,
        network: nn.Module,
        request: Request,
        asked: NetworkRequest,
        report: Report,
        checkpoints: Checkpoints,
    ) -> None:
        recipe = request.recipe
        if not recipe.epochs:
            network.eval()
            return

        def on_step(done: int, total: int) -> None:
            report.progress(done, total, f"training {asked.label}")

        def keep(checkpoint: bytes) -> None:
            if checkpoints.due():
                checkpoints.save(checkpoint)

        if recipe.processes > 1:
            trained = train_in_group(
                request.to_dict(),
                recipe.processes,
                resume=checkpoints.load(_checked),
                on_step=on_step,
                on_checkpoint=keep,
            )
            weights.load(network, trained)
            network.eval()
            return

        def on_epoch(checkpoint: Checkpoint) -> None:
            if checkpoints.due():
                checkpoints.save(checkpoint.dump())

        self._workshop.train(
            network, request, resume=checkpoints.load(Checkpoint.read), on_step=on_step, on_epoch=on_epoch
        )

    def _finish(
        self, network: nn.Module, request: Request, asked: NetworkRequest, known: dict[str, Any]
    ) -> dict[str, Any]:
        network.eval()
        dataset = self._materials.dataset(request.dataset)
        found = evaluate(network, dataset.split(request.evaluate_on))
        counted = costs.count(copy.deepcopy(network).cpu(), dataset.input_shape)
        result: dict[str, Any] = {
            **asked.to_dict(),
            "accuracy": found.accuracy,
            "loss": found.loss,
            "num_samples": found.num_samples,
            "parameters": counted.parameters,
            "macs": counted.macs,
            "artifact": known["weights"],
            "train_s": known["train_s"],
        }
        if request.export is not None:
            exported = self._export(network, request, asked, found)
            if request.export.int8:
                result["int8_model"] = self._quantize(network, request, exported)
            result["model"] = _exported(
                exported, self._artifacts.put_bytes(exported.onnx), request.export.opset
            )
        return result

    def _export(
        self, network: nn.Module, request: Request, asked: NetworkRequest, found: Evaluation
    ) -> Exported:
        assert request.export is not None  # noqa: S101 - the caller asked
        dataset = self._materials.dataset(request.dataset)
        library = self._materials.library(request.library) if request.library else None
        options = assembly.option_texts(library, asked.architecture) if library and asked.architecture else ()
        said = metadata(
            name=asked.label,
            options=options,
            accuracy=found.accuracy,
            accuracy_on=request.evaluate_on,
            class_names=dataset.class_names,
            normalisation=dataset.normalisation,
            inside=request.export.include_normalization,
            provenance=request.reference.get("provenance") or {},
            library=library.digest if library else None,
            versions={"torch": torch.__version__, "python": platform.python_version()},
        )
        return export(network, dataset.split(request.evaluate_on), request.export, said)

    def _quantize(self, network: nn.Module, request: Request, exported: Exported) -> dict[str, Any]:
        """Its figures are the INT8 model's own: accuracy, and how often it agrees with the float network."""
        assert request.export is not None  # noqa: S101 - the caller asked
        dataset = self._materials.dataset(request.dataset)
        part = dataset.split(request.evaluate_on)
        quantised = quantize(exported.onnx, dataset.split("training"), request.export)
        compared = compare(quantised, logits(network, enough(part)), part, request.export)
        return _exported(compared, self._artifacts.put_bytes(compared.onnx), request.export.opset)


def _checked(checkpoint: bytes) -> bytes:
    """The bytes themselves, which other processes will read. Raises DataLoss when they cannot."""
    Checkpoint.read(checkpoint)
    return checkpoint


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"sha256": artifact.sha256, "size_bytes": artifact.size_bytes}


def _exported(exported: Exported, artifact: Artifact, opset: int) -> dict[str, Any]:
    return {
        "onnx": _artifact(artifact),
        "top1_agreement": exported.top1_agreement,
        "max_abs_diff": exported.max_abs_diff,
        "num_samples": exported.num_samples,
        "opset": opset,
        "accuracy": exported.accuracy,
    }
