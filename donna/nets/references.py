"""Reference networks, by provider name and arguments: `{"provider": "small_cnn", "arguments": {...}}`.

Other packages add a provider through the entry-point group `donna.references`: an object with `parameters`
(or None when the arguments are checked by the provider itself) and `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from donna.errors import InvalidArgument
from donna.nets import weights
from donna.nets.arguments import Parameter, check
from donna.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Builds references of one kind. `build(**arguments)` gets exactly the declared `parameters`.

    `build` draws initial weights from torch's global generator, which the caller seeds.
    `provenance(arguments)` tells licence and source of the architecture and of weights the provider loads.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., nn.Module]
    provenance: Callable[[Mapping[str, Any]], dict[str, str]] = lambda arguments: {}


REGISTRY: Registry[Provider] = Registry(
    kind="reference provider",
    group="donna.references",
    ours={
        "small_cnn": "donna.nets.small_cnn:PROVIDER",
        "torchvision": "donna.nets.zoo:TORCHVISION",
        "timm": "donna.nets.zoo:TIMM",
    },
)


def resolve(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description with every default filled in: equal references have equal resolved descriptions.

    Raises InvalidArgument naming `reference.provider` or `reference.arguments.<name>`.
    """
    provider, arguments = _read(description)
    return {
        "provider": provider.name,
        "arguments": check(provider.parameters, arguments, "reference.arguments"),
    }


def build(description: Mapping[str, Any]) -> nn.Module:
    """The reference with random weights (torch's global generator; seed it first), in training mode.

    Raises InvalidArgument naming `reference.provider` or `reference.arguments.<name>`.
    """
    provider, arguments = _read(description)
    values = check(provider.parameters, arguments, "reference.arguments")
    return provider.build(**values)


def at_random(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description of the same network without any trained weights: nothing is asked of a library's own loader.

    The parameter `weights` of a provider, where it need not be given, is what names such weights.
    """
    provider, arguments = _read(description)
    named = {p.name for p in provider.parameters if p.name == "weights" and not p.required}
    kept = {name: value for name, value in arguments.items() if name not in named}
    return {**description, "arguments": kept, "weights": None}


def load(description: Mapping[str, Any], read: Callable[[str], bytes], seed: int = 0) -> nn.Module:
    """The reference with the weights that `weights` of the description names (a sha256, which `read` turns into the
    bytes of a safetensors file), or, without, as its provider makes it under `seed`.

    Raises InvalidArgument naming the field that is wrong, or `reference.weights` when they are of another network.
    """
    sha256 = description.get("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(at_random(description) if sha256 else description)
    if sha256:
        weights.load(model, read(sha256), "reference.weights")
    return model


def provenance(description: Mapping[str, Any]) -> dict[str, str]:
    """Licence and source, as far as the provider knows them; keys `licence`, `source`."""
    provider, arguments = _read(description)
    return dict(provider.provenance(check(provider.parameters, arguments, "reference.arguments")))


def _read(description: Mapping[str, Any]) -> tuple[Provider, Mapping[str, Any]]:
    name, arguments = description.get("provider", ""), description.get("arguments") or {}
    if not isinstance(arguments, Mapping):
        raise InvalidArgument.of("reference.arguments", f"must be a mapping, got {arguments!r}")
    return REGISTRY.get(name, "reference.provider"), arguments
