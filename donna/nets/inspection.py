"""Where a network can be cut: its submodules that take one tensor and return one, and a proposal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from donna.errors import InvalidArgument
from donna.nets.costs import Costs, count, slow_attention
from donna.nets.cut import cut

Shape = tuple[int, ...]
_TRIES = 4


@dataclass(frozen=True, kw_only=True)
class Submodule:
    """A submodule that runs once, on one tensor, and returns one; shapes are without batch."""

    name: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    parameters: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`submodules` in order of execution; `proposed` are names of a chain of them, empty when none was found."""

    submodules: tuple[Submodule, ...]
    proposed: tuple[str, ...]
    costs: Costs


@dataclass(kw_only=True)
class _Call:
    x: Tensor
    y: Tensor | None = None
    calls: int = 1


def inspect_model(model: nn.Module, input_shape: Sequence[int]) -> Inspection:
    """Inspects `model` on images of (C, H, W) `input_shape`. The model is frozen in place.

    Raises InvalidArgument when it cannot take such images.
    """
    model.eval().requires_grad_(False)
    calls = _calls(model, input_shape)
    flops = _flops(model, input_shape)
    modules = dict(model.named_modules())
    found = {
        name: Submodule(
            name=name,
            kind=type(modules[name]).__name__,
            input_shape=tuple(call.x.shape[1:]),
            output_shape=tuple(call.y.shape[1:]),
            parameters=sum(p.numel() for p in modules[name].parameters()),
            macs=flops.get(name, 0),
        )
        for name, call in calls.items()
        if call.calls == 1 and call.y is not None and call.x.ndim in (3, 4) and call.y.ndim in (3, 4)
    }
    proposed: tuple[str, ...] = ()
    for chain in _chains(found, calls, modules)[:_TRIES]:
        try:
            cut(model, chain, input_shape)
        except InvalidArgument:
            continue
        proposed = chain
        break
    return Inspection(submodules=tuple(found.values()), proposed=proposed, costs=count(model, input_shape))


def _calls(model: nn.Module, input_shape: Sequence[int]) -> dict[str, _Call]:
    """What went into and came out of every submodule that takes one tensor, in order of execution."""
    calls: dict[str, _Call] = {}
    handles = []

    def before(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if name in calls:
                calls[name].calls += 1
            elif len(args) == 1 and not kwargs and isinstance(args[0], Tensor):
                calls[name] = _Call(x=args[0])

        return hook

    def after(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if name in calls and isinstance(output, Tensor):
                calls[name].y = output

        return hook

    for name, module in model.named_modules():
        if name:
            handles.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
            handles.append(module.register_forward_hook(after(name)))
    try:
        with torch.no_grad():
            model(torch.zeros((2, *input_shape)))
    except Exception as error:
        raise InvalidArgument.of(
            "input_shape",
            f"the reference cannot take images of shape {tuple(input_shape)}: {str(error)[:200]}",
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _flops(model: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """Multiply-adds of every submodule for one image, by name."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), slow_attention(), counter:
        model(torch.zeros((1, *input_shape)))
    root = type(model).__name__
    return {
        name.removeprefix(f"{root}."): sum(counts.values()) // 2
        for name, counts in counter.get_flop_counts().items()
        if name.startswith(f"{root}.")
    }


def _chains(
    found: dict[str, Submodule], calls: dict[str, _Call], modules: dict[str, nn.Module]
) -> list[tuple[str, ...]]:
    """Chains of siblings, those with most multiply-adds first, of more than single layers."""
    siblings: dict[str, list[str]] = {}
    for name in found:
        siblings.setdefault(name.rpartition(".")[0], []).append(name)
    chains: list[list[str]] = []
    for names in siblings.values():
        chain: list[str] = []
        for name in names:
            if chain and calls[chain[-1]].y is not calls[name].x:
                chains.append(chain)
                chain = []
            chain.append(name)
        chains.append(chain)
    trimmed = [_trim([n for n in chain if found[n].parameters], found, modules) for chain in chains]
    trimmed = [chain for chain in trimmed if len(chain) > 1]
    return sorted(trimmed, key=lambda chain: (-sum(found[n].macs for n in chain), len(chain)))


def _trim(chain: list[str], found: dict[str, Submodule], modules: dict[str, nn.Module]) -> tuple[str, ...]:
    """Without what differs at either end from the kind that most of the chain is of: it belongs to stem or head."""
    kinds = Counter(found[name].kind for name in chain if any(True for _ in modules[name].children()))
    if not kinds:
        return ()
    kind = kinds.most_common(1)[0][0]
    like = [index for index, name in enumerate(chain) if found[name].kind == kind]
    return tuple(chain[like[0] : like[-1] + 1])
