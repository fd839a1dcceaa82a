"""Checks a request against the world before a job is made of it: the data can be read and split, the
reference and the library exist, the architectures are of that library, the weights are in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from donna import data
from donna.artifacts import MAX_JSON_BYTES, ArtifactStore
from donna.errors import DonnaError, FailedPrecondition, InvalidArgument, Violation
from donna.space import Library
from services.finetuner import keys
from services.finetuner.reference_check import check_reference
from services.finetuner.request import NetworkRequest, Request

Recall = Callable[[list[str]], dict[str, dict[str, Any]]]
Probe = Callable[[Request], float | None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a job will do; `estimated_s` is 0 where there is nothing to estimate from, and `estimated_from` says so."""

    networks_to_train: int
    networks_to_reuse: int
    network_epochs: float
    estimated_s: float
    estimated_from: str


class Admission:
    """Checks requests and names their tasks. `probe` measures the seconds of an epoch for a plan; None where networks
    are trained on another machine. `recall` tells what is known of earlier runs."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        data_root: Path | None,
        probe: Probe | None = None,
        recall: Recall = lambda keys: {},
    ) -> None:
        self._artifacts = artifacts
        self._data_root = data_root
        self._probe = probe
        self._recall = recall
        self._measured_s: dict[str, float | None] = {}

    def admit(self, request: Request) -> Request:
        """The request with every default written out, reference and data taken from the library where they
        are not given.

        Raises InvalidArgument, NotFound or FailedPrecondition naming the wrong field.
        """
        library = self.library(request.library) if request.library else None
        if library is not None:
            request = replace(
                request,
                reference=request.reference or {**library.reference, "provenance": library.provenance},
                dataset=request.dataset or library.dataset,
            )
        for field in ("reference", "dataset"):
            if not getattr(request, field):
                raise InvalidArgument.of(field, "must be given where no library tells it")
        request.check()
        if library is not None:
            for i, network in enumerate(request.networks):
                _check_architecture(network, library, i)
        self._check_weights(request)
        dataset = data.load(request.dataset, root=self._data_root)
        dataset.split(request.evaluate_on)
        images, recipe = len(dataset.split("training")), request.recipe
        if recipe.processes > 1 and recipe.batch_size > images:
            said = (
                f"must be at most the {images} training images for several processes, got {recipe.batch_size}"
            )
            raise InvalidArgument.of("recipe.batch_size", said)
        request = replace(request, dataset=dataset.describe(), identity=dataset.identity)
        if library is None or _described(request.reference) != _described(library.reference):
            check_reference(request.reference)
        return request

    def library(self, sha256: str) -> Library:
        """The manifest. Raises FailedPrecondition when the store lacks it."""
        self._require(sha256, "library")
        return Library.from_json(self._artifacts.get_bytes(sha256, at_most=MAX_JSON_BYTES))

    def plan(self, request: Request) -> tuple[Plan, list[tuple[NetworkRequest, Mapping[str, Any]]]]:
        """What of an admitted request is to do, and how long it takes by what is known of earlier runs; and the
        networks that were trained before in the same way, with what came of it."""
        training, pace_key = self.training_keys(request), self.pace_key(request)
        known = self._recall([*training, pace_key])
        keyed = list(zip(request.networks, training, strict=True))
        missing = [network for network, key in keyed if key not in known]
        epochs = len(missing) * request.recipe.epochs
        epoch_s, said = 0.0, "nothing is to be trained"
        if epochs and (pace := known.get(pace_key)):
            epoch_s, said = pace["epoch_s"], "the first network trained like this took {:.3g} s for an epoch"
        elif epochs and (measured := self._measured(replace(request, networks=tuple(missing)), pace_key)):
            where = " in one process" if request.recipe.processes > 1 else ""
            said = f"measured: a few steps of {missing[0].label}{where}, {{:.3g}} s for an epoch"
            epoch_s = measured
        elif epochs:
            said = "not estimated: no network was trained like this before, and none can be tried here"
        plan = Plan(
            networks_to_train=len(missing),
            networks_to_reuse=len(training) - len(missing),
            network_epochs=epochs,
            estimated_s=epochs * epoch_s,
            estimated_from=said.format(epoch_s),
        )
        return plan, [(network, known[key]) for network, key in keyed if key in known]

    def _measured(self, request: Request, name: str) -> float | None:
        """Seconds of an epoch, measured once for one kind of training."""
        if self._probe is not None and name not in self._measured_s:
            self._measured_s = {name: self._probe(request)}
        return self._measured_s.get(name)

    def pace_key(self, request: Request) -> str:
        """The key under which workers leave how long an epoch took."""
        return keys.pace_key(
            reference=_reference(request),
            dataset=self._identity(request),
            recipe=request.recipe.to_dict(),
        )

    def training_keys(self, request: Request) -> list[str]:
        """The training key of each network."""
        library = self.library(request.library) if request.library else None
        identity = self._identity(request)
        described = _reference(request)
        return [
            keys.training_key(
                network=_ingredients(network, library, request.recipe.initialization),
                reference=described,
                dataset=identity,
                recipe=request.recipe.to_dict(),
            )
            for network in request.networks
        ]

    def _identity(self, request: Request) -> str:
        return request.identity or data.load(request.dataset, root=self._data_root).identity

    def _check_weights(self, request: Request) -> None:
        if sha256 := request.reference.get("weights"):
            self._require(sha256, "reference.weights")
        for i, network in enumerate(request.networks):
            if network.weights:
                self._require(network.weights, f"networks[{i}].weights")

    def _require(self, sha256: str, field: str) -> None:
        if not self._artifacts.has(sha256):
            said = f"artifact {sha256} is not in the store"
            raise FailedPrecondition(
                f"{field}: {said}",
                reason="ARTIFACT_MISSING",
                violations=[Violation(field=field, description=said)],
            )


def _reference(request: Request) -> dict[str, Any]:
    return {name: request.reference.get(name) for name in ("provider", "arguments", "weights")}


def _described(reference: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return reference["provider"], dict(reference.get("arguments") or {})


def _check_architecture(network: NetworkRequest, library: Library, i: int) -> None:
    if network.architecture is None:
        return
    try:
        network.architecture.check(library.num_options)
    except DonnaError as error:
        said = error.message.removeprefix("architecture: ")
        raise InvalidArgument.of(f"networks[{i}].architecture", said) from None


def _ingredients(network: NetworkRequest, library: Library | None, initialization: str) -> dict[str, object]:
    """What the network is made of, for its key."""
    if network.architecture is None or library is None:
        return {"reference": True, "start": network.weights}
    entries = library.entries(network.architecture)
    pretrained = initialization == "pretrained" and network.weights is None
    return {
        "blocks": [block.name for block in library.blocks],
        "options": [entry.option for entry in entries],
        "weights": [entry.weights for entry in entries] if pretrained else [],
        "start": network.weights,
    }
