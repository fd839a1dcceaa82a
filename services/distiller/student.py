"""One variant of one block in training: its module, its optimiser, and how it fares."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from donna.nets import families, optimizers
from donna.nets.cut import Cut
from donna.nets.nsr import nsr
from donna.space import Option
from services.distiller.recipe import Recipe


@dataclass(kw_only=True, eq=False)
class Student:
    """Option `option` of block `n` (from 0).

    `trained` is False where there is nothing to learn (the reference's own block, an identity), and then there is
    no `optimizer`; `overwrites` is True for a block of the reference that works in place; `bfloat16` is how it
    computes in training; `failed` says why training ended early; `loss` is the sum of the NSR over the steps since it
    was last looked at; `curve` has the held-out NSR by the number of steps done.
    """

    n: int
    option: Option
    key: str
    module: nn.Module
    trained: bool
    optimizer: Optimizer | None
    overwrites: bool = False
    bfloat16: bool = False
    failed: str = ""
    loss: Tensor | None = field(default=None, repr=False)
    curve: dict[int, float] = field(default_factory=dict)

    def run(self, x: Tensor) -> Tensor:
        """The block's output for `x`, which is left as it is: other students read it too."""
        return self.module(x.clone() if self.overwrites else x)

    def step(self, x: Tensor, y: Tensor, variance: Tensor, learning_rate: float) -> None:
        """One optimiser step towards `y` for inputs `x`; no other student is involved."""
        if self.optimizer is None or self.failed:
            return
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = nsr(y, self._output(x), variance)  # no name for it: a map less to hold
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.loss = loss.detach() if self.loss is None else self.loss + loss.detach()

    def _output(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bfloat16):
            return self.run(x).float()

    def inspect(self, step: int) -> None:
        """Ends the training of a student whose loss is no longer a number. Looks at the device: not for each step."""
        if self.loss is not None and not bool(torch.isfinite(self.loss)):
            self.failed = f"the loss was no longer finite by step {step}"
            self.optimizer = None
        self.loss = None


def enrol(
    cut: Cut, n: int, option: Option, key: str, seed: int, recipe: Recipe, device: torch.device
) -> Student:
    """A student with initial weights drawn from `seed` alone, ready for its first step.

    Raises InvalidArgument when the option does not fit the block.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = families.build(option, cut.input_shapes[n], cut.output_shapes[n], cut.blocks[n])
    trained = families.REGISTRY.get(option.family, "option.family").trained and any(
        True for _ in module.parameters()
    )
    module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module.requires_grad_(trained).train(trained)
    optimizer = None
    if trained:
        optimizer = optimizers.build(recipe.optimizer, module, recipe.learning_rate, recipe.weight_decay)
    # Families begin with nothing that works in place (variants.py looks); what the reference does is its own affair.
    return Student(
        n=n,
        option=option,
        key=key,
        module=module,
        trained=trained,
        optimizer=optimizer,
        overwrites=cut.overwrites and not trained,
        bfloat16=recipe.precision == "bfloat16",
    )
