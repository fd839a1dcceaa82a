"""One forward pass of a model, recorded with hooks: what went into and came out of the named submodules,
and in which order all submodules ran."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from donna.errors import InvalidArgument


@dataclass(kw_only=True)
class Call:
    """The call of one named submodule. Ids tell whether two tensors are the same object."""

    name: str
    x: Tensor
    input_id: int
    changed_before: bool
    y: Tensor
    output_id: int
    overwritten: bool


@dataclass(kw_only=True)
class Order:
    """When each submodule ran, as (start, end) ticks of one pass, and the shape it gave (None: no tensor)."""

    spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    sized: set[str] = field(default_factory=set)

    def never_before(self, first: str) -> tuple[str, ...]:
        """The largest submodules that hold weights and that nothing before `first` runs."""
        start = self.spans[first][0][0]
        return self._largest(
            lambda name: not any(begin < start for begin, _ in self.spans.get(name, [])), (first,)
        )

    def only_before(self, blocks: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """The largest submodules that run only before the end of the last block, with their output shapes."""
        start = self.spans[blocks[-1]][0][0]

        def replaceable(name: str) -> bool:
            spans = self.spans.get(name, [])
            return bool(spans) and self.shapes[name] is not None and all(end < start for _, end in spans)

        return {name: self.shapes[name] or () for name in self._largest(replaceable, (blocks[-1],))}

    def _largest(self, wanted: Any, keep: Sequence[str]) -> tuple[str, ...]:
        found: list[str] = []
        for name in sorted(self.sized | set(self.spans), key=lambda name: name.count(".")):
            inside = any(name.startswith(f"{outer}.") for outer in found)
            around = any(
                kept == name or kept.startswith(f"{name}.") or name.startswith(f"{kept}.") for kept in keep
            )
            if name and not inside and not around and wanted(name):
                found.append(name)
        return tuple(found)


def find(model: nn.Module, name: str, field: str) -> nn.Module:
    """The named submodule; raises InvalidArgument for `field`, with close matches, when there is none."""
    modules = dict(model.named_modules())
    if not name or name not in modules:
        close = (
            difflib.get_close_matches(name, modules, n=3) or [n for n in modules if n and "." not in n][:8]
        )
        raise InvalidArgument.of(
            field, f"the reference has no submodule {name!r}; close matches: {', '.join(close)}"
        )
    return modules[name]


def record(model: nn.Module, names: Sequence[str], images: Tensor) -> tuple[Any, list[Call], Order]:
    """(output, one Call for each name, Order) of one pass of `model` over `images`.

    Raises InvalidArgument when the model cannot take such images, or a named submodule does not run exactly
    once, takes anything but one tensor or gives anything but one tensor.
    """
    recorder = _Recorder(names)
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(recorder.before(name), with_kwargs=True))
        handles.append(module.register_forward_hook(recorder.after(name)))
    try:
        with torch.no_grad():
            output = model(images)
    except InvalidArgument:
        raise
    except Exception as error:
        raise InvalidArgument.of(
            "reference", f"it cannot take images of shape {tuple(images.shape[1:])}: {str(error)[:200]}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    recorder.order.sized = {n for n, m in model.named_modules() if n and any(True for _ in m.parameters())}
    return output, recorder.finish(), recorder.order


class _Recorder:
    def __init__(self, names: Sequence[str]) -> None:
        self._fields = {name: f"blocks[{n}]" for n, name in enumerate(names)}
        self._calls: dict[str, Call] = {}
        self._open: dict[str, list[int]] = {}
        # Tensors are kept alive, so that no id is used again, with their version, which counts writes.
        self._alive: list[tuple[Tensor, int]] = []
        self._tick = 0
        self.order = Order()

    def before(self, name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._tick += 1
            self._open.setdefault(name, []).append(self._tick)
            if name not in self._fields:
                return
            if len(args) != 1 or kwargs or not isinstance(args[0], Tensor):
                raise InvalidArgument.of(
                    self._fields[name],
                    f"{name!r} takes {len(args) + len(kwargs)} arguments; a block takes one tensor",
                )
            if name in self._calls:
                raise InvalidArgument.of(self._fields[name], f"{name!r} runs more than once in a pass")
            x = args[0]
            changed = any(tensor is x and version != x._version for tensor, version in self._alive)
            self._alive.append((x, x._version))
            self._calls[name] = Call(
                name=name,
                x=x.clone(),
                input_id=id(x),
                changed_before=changed,
                y=x,
                output_id=0,
                overwritten=False,
            )

        return hook

    def after(self, name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            self._tick += 1
            self.order.spans.setdefault(name, []).append((self._open[name].pop(), self._tick))
            self.order.shapes[name] = tuple(output.shape[1:]) if isinstance(output, Tensor) else None
            call = self._calls.get(name)
            if call is None or name not in self._fields:
                return
            if not isinstance(output, Tensor):
                raise InvalidArgument.of(
                    self._fields[name], f"{name!r} gives a {type(output).__name__}; a block gives one tensor"
                )
            x = args[0]
            call.overwritten = any(tensor is x and version != x._version for tensor, version in self._alive)
            self._alive.append((output, output._version))
            call.y, call.output_id = output.clone(), id(output)

        return hook

    def finish(self) -> list[Call]:
        for name, where in self._fields.items():
            if name not in self._calls:
                raise InvalidArgument.of(
                    where, f"{name!r} does not run when the reference classifies an image"
                )
        return [self._calls[name] for name in self._fields]
