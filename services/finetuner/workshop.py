"""Builds the network that a request asks for, and trains it: what a worker does alone, and each of a group."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from donna.data import Part
from donna.nets import references
from services.finetuner import assembly
from services.finetuner.checkpoint import Checkpoint
from services.finetuner.group import Group
from services.finetuner.materials import Materials
from services.finetuner.request import NetworkRequest, Request
from services.finetuner.train import ALONE, calibrate, train


class Workshop:
    """Works with the materials of one process."""

    def __init__(self, materials: Materials) -> None:
        self.materials = materials

    def build(self, request: Request, asked: NetworkRequest) -> nn.Module:
        """The network as its training starts, on the device; the same in every process that builds it."""
        materials, recipe = self.materials, request.recipe
        random = recipe.initialization == "random"
        library = materials.library(request.library) if request.library else None
        if asked.architecture is None or library is None:
            description = references.at_random(request.reference) if random else request.reference
            model = references.load(description, materials.read, recipe.seed)
        elif random:
            model = assembly.from_scratch(request.reference, library, asked.architecture, recipe.seed)
        else:
            whole = materials.cut(request.reference, request.library or "")
            model = assembly.stitch(whole, library, asked.architecture, materials.read)
        stitched = asked.architecture is not None and not random and asked.weights is None
        model = assembly.as_classifier(model, asked.weights, materials.read).to(materials.device)
        if stitched:
            calibrate(model, self._training(request), recipe.seed)
        return model

    def train(
        self,
        network: nn.Module,
        request: Request,
        *,
        resume: Checkpoint | None,
        group: Group = ALONE,
        on_step: Callable[[int, int], None],
        on_epoch: Callable[[Checkpoint], None],
    ) -> None:
        """Trains the network of `request` in place. The reference has no teacher. Raises Diverged."""
        taught = request.recipe.soft_weight > 0 and request.networks[0].architecture is not None
        train(
            network,
            self._training(request),
            request.recipe,
            self.materials.teacher(request.reference, request.dataset, request.identity) if taught else None,
            resume=resume,
            group=group,
            on_step=on_step,
            on_epoch=on_epoch,
        )

    def _training(self, request: Request) -> Part:
        return self.materials.dataset(request.dataset, request.identity).split("training")
