"""What is needed to go on after an epoch, as safetensors: weights, optimiser state, average, epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from donna.errors import DataLoss
from donna.nets import optimizers
from donna.nets.weights import dump_state, load_state, read_state
from services.finetuner.averaging import Average

_EPOCH, _NETWORK, _OPTIMIZER, _AVERAGE = "epoch", "network:", "optimizer:", "average:"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """`epoch` epochs are done; `tensors` hold the whole state by name."""

    epoch: int
    tensors: dict[str, Tensor]

    @classmethod
    def take(
        cls, epoch: int, network: nn.Module, optimizer: Optimizer, average: Average | None
    ) -> Checkpoint:
        """References to the live tensors: dump before the next step changes them."""
        tensors = {f"{_NETWORK}{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"{_OPTIMIZER}{name}": tensor for name, tensor in optimizers.state(optimizer).items()}
        for i, tensor in enumerate(average.tensors if average is not None else ()):
            tensors[f"{_AVERAGE}{i}"] = tensor
        return cls(epoch=epoch, tensors=tensors)

    def restore(self, network: nn.Module, optimizer: Optimizer, average: Average | None) -> int:
        """Puts the state back and returns the epoch to go on with. Raises InvalidArgument when it is of
        another network."""
        load_state(network, self._under(_NETWORK), "checkpoint")
        optimizers.restore(optimizer, self._under(_OPTIMIZER))
        with torch.no_grad():
            for key, tensor in self._under(_AVERAGE).items():
                if average is not None:
                    average.tensors[int(key)].copy_(tensor)
        return self.epoch

    def dump(self) -> bytes:
        """Safetensors bytes."""
        return dump_state({**self.tensors, _EPOCH: torch.tensor(self.epoch)})

    @classmethod
    def read(cls, data: bytes) -> Checkpoint:
        """The inverse of `dump`. Raises DataLoss when the bytes are none."""
        tensors = read_state(data)
        if _EPOCH not in tensors:
            raise DataLoss("the checkpoint does not say how many epochs were done")
        return cls(epoch=int(tensors.pop(_EPOCH)), tensors=tensors)

    def _under(self, prefix: str) -> dict[str, Tensor]:
        return {name[len(prefix) :]: t for name, t in self.tensors.items() if name.startswith(prefix)}
