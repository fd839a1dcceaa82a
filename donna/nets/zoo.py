"""torchvision's and timm's classification models as reference providers. Both are imported when asked.

Weights are random by default; trained ones travel as safetensors artifacts. `weights: "library"` asks the
library's own loader for its default weights, which may need the network. What it fetches may be a pickle: torch is told
to read plain weights alone, and refuses everything else.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from donna.errors import FailedPrecondition, InvalidArgument
from donna.nets.arguments import Parameter
from donna.nets.memory import ran_out
from donna.nets.references import Provider

_PARAMETERS = (
    Parameter(name="name", kind=str, about="the model's name in the library"),
    Parameter(
        name="num_classes", kind=int, about="number of classes", default=1000, minimum=2, maximum=100_000
    ),
    Parameter(
        name="weights", kind=str, about="where weights come from", default="none", choices=("none", "library")
    ),
)
_PLAIN_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""torch's own variable: its loader heeds it for this process, whatever a library asks of it."""
MAX_PARAMETERS = 1_000_000_000
_FIELD = "reference.arguments.name"


def _torchvision(name: str, num_classes: int, weights: str) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)
    _check(name, known, "torchvision")
    # Two models have classifiers on the way, whose logits they return beside their own while they train.
    plain: dict[str, Any] = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    if plain and weights == "none":
        plain["init_weights"] = True  # what they do today, without a warning that they may not tomorrow
    if weights == "none":
        return models.get_model(name, weights=None, num_classes=num_classes, **plain)
    # torchvision refuses another number of classes together with weights; it says so in its own words.
    return _loading(name, lambda: models.get_model(name, weights="DEFAULT", num_classes=num_classes, **plain))


def _timm(name: str, num_classes: int, weights: str) -> nn.Module:
    import timm

    _check(name, timm.list_models(), "timm")
    _check_size(lambda: timm.create_model(name, pretrained=False, num_classes=num_classes))
    if weights == "none":
        return timm.create_model(name, pretrained=False, num_classes=num_classes)
    return _loading(name, lambda: timm.create_model(name, pretrained=True, num_classes=num_classes))


def _check(name: str, known: list[str], library: str) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {len(known)} others"
        raise InvalidArgument.of(_FIELD, f"{library} has no classification model {name!r}; {hint}")


def _check_size(build: Callable[[], nn.Module]) -> None:
    """Counts the parameters without memory for them: a name is all that it takes to ask a service for gigabytes.
    (torchvision has nothing so large.)"""
    try:
        with torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in build().parameters())
    except (NotImplementedError, RuntimeError):  # a model that computes numbers as it is made
        return
    if parameters > MAX_PARAMETERS:
        said = f"has {parameters:,} parameters, a reference can have {MAX_PARAMETERS:,}"
        raise InvalidArgument.of(_FIELD, said)


def _loading(name: str, load: Callable[[], nn.Module]) -> nn.Module:
    os.environ[_PLAIN_WEIGHTS_ONLY] = "1"
    try:
        return load()
    except ValueError as error:
        raise InvalidArgument.of("reference.arguments.num_classes", str(error)) from error
    except Exception as error:  # the network, the disk and the loaders raise anything
        if ran_out(error):
            raise
        raise FailedPrecondition(
            f"the library could not load weights of {name}: {type(error).__name__}"
        ) from error


def _torchvision_provenance(arguments: Mapping[str, Any]) -> dict[str, str]:
    licence = {"licence": "BSD-3-Clause (code)", "source": f"torchvision {arguments['name']}"}
    if arguments["weights"] == "library":
        licence["weights"] = "torchvision default weights; see their own licence"
    return licence


def _timm_provenance(arguments: Mapping[str, Any]) -> dict[str, str]:
    import timm

    found = {"licence": "Apache-2.0 (code)", "source": f"timm {arguments['name']}"}
    if arguments["weights"] == "library":
        settings = timm.get_pretrained_cfg(arguments["name"])
        found["weights"] = str(getattr(settings, "license", None) or "see the model card")
    return found


TORCHVISION = Provider(
    name="torchvision",
    about="any classification model of torchvision",
    parameters=_PARAMETERS,
    build=_torchvision,
    provenance=_torchvision_provenance,
)
TIMM = Provider(
    name="timm",
    about="any model of timm",
    parameters=_PARAMETERS,
    build=_timm,
    provenance=_timm_provenance,
)
