"""One network from its request to its result: assemble, train, export, evaluate."""

from __future__ import annotations

import copy
import gc
import logging
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import donna
from donna.artifacts import Artifact, ArtifactStore
from donna.checkpoints import Checkpoints
from donna.data import Dataset
from donna.errors import DonnaError, FailedPrecondition
from donna.jobs import Report, Task
from donna.nets import costs, weights
from donna.nets.device import choose_device
from donna.nets.memory import ran_out
from services.finetuner import assembly
from services.finetuner.agreement import Agreement
from services.finetuner.checkpoint import Checkpoint
from services.finetuner.evaluate import all_logits, measure
from services.finetuner.export import Exported, export
from services.finetuner.materials import Materials
from services.finetuner.metadata import measured, metadata, stamped
from services.finetuner.quantize import SCHEME, quantize
from services.finetuner.replicas import train_in_group
from services.finetuner.request import ExportSettings, NetworkRequest, Request
from services.finetuner.train import Diverged
from services.finetuner.workshop import Workshop

log = logging.getLogger("donna.finetuner")


class Trainer:
    """Runs tasks, one after the other, in one process; what they share is loaded once."""

    def __init__(self, artifacts: ArtifactStore, data_root: Path | None, device: str) -> None:
        self._artifacts = artifacts
        self._materials = Materials(artifacts, data_root, choose_device(device))
        self._workshop = Workshop(self._materials)

    def run(self, task: Task, report: Report, checkpoints: Checkpoints) -> dict[str, Any]:
        """The result of the one network of a task, as JSON. What stands in the way of this network alone is its
        `error`, beside all that was reached."""
        request = Request.parse(task.spec)
        asked = request.networks[0]
        result: dict[str, Any] = asked.to_dict()
        try:
            self._fill(result, request, task, report, checkpoints)
        except Diverged as error:
            result["error"] = _said(error)
        except Exception as error:
            if not ran_out(error):
                raise
            log.warning("%s: out of memory", asked.label, exc_info=True)
            said = f"{asked.label} does not fit into memory with batches of {request.recipe.batch_size}"
            result["error"] = {"reason": "OUT_OF_MEMORY", "message": f"{said}; make batch_size smaller"}
        if "error" in result:
            gc.collect()  # what failed refers to itself, and to the network
            torch.cuda.empty_cache()
        checkpoints.clear()
        return result

    def _fill(
        self,
        result: dict[str, Any],
        request: Request,
        task: Task,
        report: Report,
        checkpoints: Checkpoints,
    ) -> None:
        asked, key, maker = request.networks[0], task.spec["training_key"], f"{task.job}/{task.index}"
        known = report.recall([key]).get(key)
        start = known["weights"]["sha256"] if known else asked.weights
        network = self._workshop.build(request, replace(asked, weights=start))
        if known is None:
            self._train(network, request, asked, report, checkpoints)
            known = {
                "weights": _artifact(self._artifacts.put_bytes(weights.dump(network))),
                "train_s": checkpoints.spent_s(),
                "made_by": maker,
            }
            trained = float(request.recipe.epochs > 0)
            report.remember(key, known, networks_trained=trained, network_epochs=request.recipe.epochs)
        elif known.get("made_by") != maker:  # or it was this task, whose worker was lost as it went on
            report.cost(networks_reused=1)
        result |= {"artifact": known["weights"], "train_s": known["train_s"]}
        self._finish(result, network, request)

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

    def _finish(self, result: dict[str, Any], network: nn.Module, request: Request) -> None:
        """Exports, then looks at the evaluated part, once for the network and its models: it has chosen nothing."""
        network.eval()
        dataset = self._materials.dataset(request.dataset, request.identity)
        models = self._export(result, network, dataset, request.export) if request.export else {}
        part = dataset.split(request.evaluate_on)
        expected, *found = all_logits(network, part, [model.run for model in models.values()])
        labels = torch.from_numpy(part.labels)
        counted = costs.count(copy.deepcopy(network).cpu(), dataset.input_shape)
        result |= asdict(measure(expected, labels))
        result |= {"parameters": counted.parameters, "macs": counted.macs}
        said = self._metadata(request, dataset) if models else {}
        for (name, model), logits in zip(models.items(), found, strict=True):
            accuracy = measure(logits, labels).accuracy
            own = measured(accuracy, request.evaluate_on)
            if name == "int8_model":
                own["donna.quantisation"] = SCHEME
            agreement = model.agreement + Agreement.of(expected, logits)
            result[name] = {
                "onnx": _artifact(self._artifacts.put_bytes(stamped(model.onnx, {**said, **own}))),
                "top1_agreement": agreement.top1_agreement,
                "max_abs_diff": agreement.max_abs_diff,
                "num_samples": agreement.num_samples,
                "opset": request.export.opset if request.export else 0,
                "accuracy": accuracy,
            }

    def _export(
        self, result: dict[str, Any], network: nn.Module, dataset: Dataset, settings: ExportSettings
    ) -> dict[str, Exported]:
        """The models, by the names that they have in a result. One that cannot be made leaves the rest as it is."""
        network.cpu()  # where what the models compute is compared with what it computes
        models: dict[str, Exported] = {}
        try:
            models["model"] = export(network, dataset, settings)
        except FailedPrecondition as error:
            result["error"] = _said(error)
            return models
        if settings.int8:
            try:
                models["int8_model"] = quantize(network, models["model"].onnx, dataset, settings)
            except FailedPrecondition as error:
                log.warning("no INT8 model: %s", error.message, exc_info=True)
                result["int8_error"] = _said(error)
        return models

    def _metadata(self, request: Request, dataset: Dataset) -> dict[str, str]:
        asked, settings = request.networks[0], request.export
        library = self._materials.library(request.library) if request.library else None
        options = assembly.option_texts(library, asked.architecture) if library and asked.architecture else ()
        return metadata(
            name=asked.label,
            options=options,
            class_names=dataset.class_names,
            normalisation=dataset.normalisation,
            inside=settings is not None and settings.include_normalization,
            provenance=request.reference.get("provenance") or {},
            library=library.digest if library else None,
            versions={
                "donna": donna.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        )


def _said(error: DonnaError) -> dict[str, str]:
    return {"reason": error.reason, "message": error.message}


def _checked(checkpoint: bytes) -> bytes:
    """The bytes themselves, which other processes will read. Raises DataLoss when they cannot."""
    Checkpoint.read(checkpoint)
    return checkpoint


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"sha256": artifact.sha256, "size_bytes": artifact.size_bytes}
