"""What a module costs for one image, as torch counts it: nothing here is derived by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, kw_only=True)
class Costs:
    """`macs` are multiply-adds of convolutions, matrix products and attention for one image.

    `weight_bytes` counts parameters and floating-point buffers. `activation_bytes` is the peak of the tensors
    computed from the input that are alive at once during eager execution for one image, input included.
    """

    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int


def count(module: nn.Module, input_shape: Sequence[int]) -> Costs:
    """Costs of `module` for one input of `input_shape` (without batch), in eval mode."""
    parameter = next(module.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    x = torch.zeros((1, *input_shape), device=device)
    was_training, fast_path = module.training, torch.backends.mha.get_fastpath_enabled()
    flops, live = FlopCounterMode(display=False), _LiveBytes(x)
    try:
        # The fused path of nn.MultiheadAttention is one operator that the counter does not know.
        torch.backends.mha.set_fastpath_enabled(False)
        module.eval()
        with torch.no_grad(), flops, live:
            module(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        module.train(was_training)
    # By address: tensors that share memory are stored once.
    stored = {
        t.data_ptr(): t.numel() * t.element_size()
        for t in module.state_dict().values()
        if t.is_floating_point()
    }
    return Costs(
        parameters=sum(p.numel() for p in module.parameters()),
        macs=flops.get_total_flops() // 2,
        weight_bytes=sum(stored.values()),
        activation_bytes=live.peak,
    )


class _LiveBytes(TorchDispatchMode):
    """Peak bytes of the storages computed from the input and still alive, plus those of the input."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        storage = x.untyped_storage()
        self._alive = {storage._cdata: (StorageWeakRef(storage), storage.nbytes())}
        self.peak = storage.nbytes()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._alive = {key: (ref, size) for key, (ref, size) in self._alive.items() if not ref.expired()}
        inputs = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        output = func(*args, **(kwargs or {}))
        # new_zeros and its kind take only shape and type from their input.
        if inputs & self._alive.keys() and not func.overloadpacket.__name__.startswith("new_"):
            for tensor in tree_leaves(output):
                if isinstance(tensor, Tensor):
                    storage = tensor.untyped_storage()
                    self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
            self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return output
