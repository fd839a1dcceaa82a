"""Weights as safetensors bytes. No pickle is read here; where one is, see docs/decisions/no-pickle.md."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read
from safetensors.torch import save as write
from torch import Tensor, nn

from donna.errors import DataLoss, InvalidArgument


def dump(module: nn.Module) -> bytes:
    """The module's parameters and buffers; equal weights give equal bytes."""
    return dump_state(module.state_dict())


def dump_state(state: Mapping[str, Tensor]) -> bytes:
    """A state dict as safetensors bytes. Tensors that share memory are stored once each."""
    rows: dict[str, Tensor] = {}
    memory: set[int] = set()
    for name in sorted(state):
        row = state[name].detach().cpu().contiguous()
        where = row.untyped_storage().data_ptr()
        rows[name] = row.clone() if where in memory else row
        memory.add(where)
    return write(rows)


def read_state(data: bytes) -> dict[str, Tensor]:
    """The inverse of `dump_state`. Raises DataLoss when the bytes are not safetensors."""
    try:
        return read(data)
    except (SafetensorError, ValueError) as error:
        raise DataLoss(f"the weights are not a safetensors file: {error}") from error


def load(module: nn.Module, data: bytes, field: str = "weights") -> None:
    """Puts `data` into `module`: every tensor, no other, in the same shapes.

    Raises DataLoss when the bytes are not safetensors, InvalidArgument for `field` when of another network.
    """
    load_state(module, read_state(data), field)


def load_state(module: nn.Module, state: Mapping[str, Tensor], field: str = "weights") -> None:
    """As `load`, from a state dict."""
    own = module.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unknown:
        raise InvalidArgument.of(
            field, f"are of another network: {_some(missing)} missing and {_some(unknown)} not expected"
        )
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            raise InvalidArgument.of(
                field, f"{name} must have shape {tuple(tensor.shape)}, got {tuple(state[name].shape)}"
            )
    with torch.no_grad():
        module.load_state_dict(dict(state), strict=True)


def _some(names: list[str]) -> str:
    return (
        "none"
        if not names
        else ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    )
