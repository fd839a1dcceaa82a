"""What a module costs for one image, as torch counts it: nothing here is derived by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


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
    x = torch.zeros((1, *input_shape), device=parameter.device if parameter is not None else None)
    meter = Meter(x)
    was_training = module.training
    try:
        module.eval()
        with torch.no_grad(), slow_attention(), meter:
            module(x)
    finally:
        module.train(was_training)
    state = [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    # By storage: tensors that share memory are stored once.
    stored = {t.untyped_storage()._cdata: t.numel() * t.element_size() for t in state}
    return Costs(
        parameters=sum(p.numel() for p in module.parameters()),
        macs=meter.flops // 2,
        weight_bytes=sum(stored.values()),
        activation_bytes=meter.peak_bytes,
    )


def kept_for_backward(module: nn.Module, input_shape: Sequence[int]) -> tuple[int, bool]:
    """Bytes that a forward pass in training mode keeps for the backward pass, for each image, beside the module's own
    tensors and its input; and whether it overwrites its input."""
    parameter = next(module.parameters(), None)
    # Two images: one alone cannot be normalised where maps are of one pixel.
    x = torch.zeros((2, *input_shape), device=parameter.device if parameter is not None else None)
    own = {t.untyped_storage()._cdata for t in (x, *module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    modes = {m: m.training for m in module.modules()}
    state = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        module.train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            module(x)
    finally:
        for m, training in modes.items():
            m.training = training
        for name, buffer in module.named_buffers():
            buffer.copy_(state[name])
    total = sum(t.untyped_storage().nbytes() for cdata, t in kept.items() if cdata not in own)
    return total // len(x), x._version > 0


@contextmanager
def slow_attention() -> Iterator[None]:
    """Inside, nn.MultiheadAttention runs as operators that can be counted, not as a single fused one."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class Meter(TorchDispatchMode):
    """Counts floating-point operations by torch's own formulas (those of torch.utils.flop_counter, whose mode is
    many times slower), and the peak bytes of storages computed from the input `x` and still alive."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        storage = x.untyped_storage()
        self._alive = {storage._cdata: (StorageWeakRef(storage), storage.nbytes())}
        self.peak_bytes = storage.nbytes()
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing here is compiled, and asking the compiler to stay away would import it: seconds.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._alive = {key: (ref, size) for key, (ref, size) in self._alive.items() if not ref.expired()}
        inputs = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        output = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=output)
        # new_zeros and its kind take only shape and type from their input.
        if inputs & self._alive.keys() and not func.overloadpacket.__name__.startswith("new_"):
            for tensor in tree_leaves(output):
                # One-dimensional results are statistics of a normalisation, not activations.
                if isinstance(tensor, Tensor) and tensor.ndim > 1:
                    storage = tensor.untyped_storage()
                    self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
            self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self._alive.values()))
        return output
