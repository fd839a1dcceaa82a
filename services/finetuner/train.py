"""The training loop: one network, one recipe, deterministic on a CPU, resumable after every epoch.

Everything random of an epoch (order, augmentation, dropout) is a function of the seed, the epoch and the process, so an
epoch that starts from the same state ends in the same state.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from donna.data import Part
from donna.data.ahead import ahead
from donna.errors import DonnaError, FailedPrecondition
from donna.nets import optimizers
from donna.nets.normalization import recalibrate
from donna.nets.schedule import factor
from services.finetuner.averaging import Average
from services.finetuner.checkpoint import Checkpoint
from services.finetuner.distillation import mixed_loss
from services.finetuner.group import Group
from services.finetuner.recipe import Recipe
from services.finetuner.teacher import Teacher

ALONE = Group()
CALIBRATION_BATCHES = 16
CALIBRATION_BATCH_SIZE = 128

MEMORY_FORMAT = torch.channels_last
"""Depthwise convolutions are two to three times faster so."""


class Diverged(DonnaError):
    """The loss of one network is no longer a number; other networks are not concerned."""

    default_reason = "DIVERGED"


def train(
    network: nn.Module,
    part: Part,
    recipe: Recipe,
    teacher: Teacher | None,
    *,
    resume: Checkpoint | None = None,
    group: Group = ALONE,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    on_epoch: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> None:
    """Trains `network` in place on `part`, on the device that it is on, and leaves it in eval mode.

    `teacher` may be None when the recipe's soft weight is 0. `on_step(done, total)` is called after every
    step, `on_epoch` with what is needed to go on after every epoch but the last. In a `group` of processes each
    takes its share of every batch, and all end with the same weights. Raises Diverged.
    """
    network.to(memory_format=MEMORY_FORMAT)
    group.share(network)
    optimizer = optimizers.build(recipe.optimizer, network, recipe.learning_rate, recipe.weight_decay)
    average = Average(network, recipe.ema_decay) if recipe.ema_decay else None
    per_epoch, steps = recipe.steps_per_epoch(len(part)), recipe.steps(len(part))
    first = resume.restore(network, optimizer, average) if resume is not None else 0
    for epoch in range(first, -(-steps // per_epoch)):
        done = epoch * per_epoch
        torch.manual_seed(recipe.seed * 1_000_003 + epoch + (group.rank << 48))
        total_loss = torch.zeros(())
        network.train()
        augment = bool(part.dataset.description.augment)
        batches = part.batches(
            recipe.batch_size,
            recipe.seed,
            epoch,
            augment=augment,
            drop_last=True,
            share=(group.rank, group.size),
        )
        if augment:
            batches = ahead(batches)
        positions = part.positions(recipe.batch_size, recipe.seed, epoch, drop_last=True)
        for (images, labels), where in zip(batches, positions[: steps - done], strict=False):
            mine = where[group.rank :: group.size]
            for settings in optimizer.param_groups:
                settings["lr"] = recipe.learning_rate * factor(done, steps, recipe.warmup_fraction)
            total_loss = total_loss + step(network, optimizer, recipe, teacher, images, labels, mine, group)
            if average is not None:
                average.update(done)
            done += 1
            on_step(done, steps)
        total_loss = group.mean(total_loss)
        if not bool(total_loss.isfinite()):
            raise Diverged(
                f"the loss became {float(total_loss)} in epoch {epoch + 1}; lower the learning rate"
            )
        if done < steps:
            on_epoch(Checkpoint.take(epoch + 1, network, optimizer, average))
    if average is not None:
        average.apply()
    # Running averages lag behind the weights, by a lot after a short schedule.
    calibrate(network, part, recipe.seed)
    network.eval()
    broken = [name for name, tensor in network.state_dict().items() if not bool(tensor.isfinite().all())]
    if broken:  # no loss has told, of the last step nor of statistics
        raise Diverged(f"{broken[0]} is no longer finite after the last step; lower the learning rate")


def step(
    network: nn.Module,
    optimizer: Optimizer,
    recipe: Recipe,
    teacher: Teacher | None,
    images: Tensor,
    labels: Tensor,
    positions: np.ndarray,
    group: Group,
) -> Tensor:
    """One optimiser step on one batch; returns its loss. On a GPU the network runs in bfloat16."""
    device = next(network.parameters()).device
    images = images.to(device, non_blocking=True, memory_format=MEMORY_FORMAT)
    labels = labels.to(device, non_blocking=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        targets = teacher.targets(images, positions) if teacher is not None and recipe.soft_weight else None
        logits = network(images)
    if not isinstance(logits, Tensor):
        raise FailedPrecondition(
            f"the network gives a {type(logits).__name__} in training, where logits must be all that it gives",
            reason="NO_LOGITS",
        )
    loss = mixed_loss(
        logits.float(),
        labels,
        targets.float() if targets is not None else None,
        soft_weight=recipe.soft_weight,
        temperature=recipe.temperature,
        label_smoothing=recipe.label_smoothing,
    )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    group.average_gradients(network)
    optimizer.step()
    return loss.detach()


def calibrate(network: nn.Module, part: Part, seed: int) -> None:
    """Estimates the normalisation statistics again, on up to 2,048 training images as they are."""
    device = next(network.parameters()).device
    # Whole batches alone: all count the same, and a layer cannot normalise a last image on its own.
    batches = islice(part.batches(CALIBRATION_BATCH_SIZE, seed, drop_last=True), CALIBRATION_BATCHES)
    recalibrate(network, (images.to(device) for images, _ in batches))
