"""Everything that a request can name: references, block families, datasets, augmentations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from donna import data
from donna.data.augment import AUGMENTATIONS
from donna.nets import families, references
from donna.nets.arguments import Parameter
from donna.rpc.messages import dict_to_struct
from donna.v1 import distiller_pb2 as pb

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def providers() -> list[pb.Provider]:
    """All registered things that can be used, sorted by kind and name."""
    found = []
    for name, reference in references.REGISTRY.items():
        found.append(_provider("reference", name, reference.about, reference.parameters))
    for name, family in families.REGISTRY.items():
        found.append(_provider("family", name, family.about, family.parameters))
    found += [
        pb.Provider(kind="dataset", name=name, description="images with labels") for name in data.providers()
    ]
    for name, augmentation in AUGMENTATIONS.items():
        about = (augmentation.apply.__doc__ or "").split("\n")[0]
        properties = {
            key: {"type": "number", "default": default, "minimum": low, "maximum": high}
            for key, (default, low, high) in augmentation.parameters.items()
        }
        schema = dict_to_struct({"type": "object", "properties": properties})
        found.append(pb.Provider(kind="augmentation", name=name, description=about, arguments_schema=schema))
    return sorted(found, key=lambda provider: (provider.kind, provider.name))


def _provider(kind: str, name: str, about: str, parameters: Iterable[Parameter]) -> pb.Provider:
    declared = list(parameters)
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [parameter.name for parameter in declared if parameter.required],
        "properties": {parameter.name: _schema(parameter) for parameter in declared},
    }
    return pb.Provider(kind=kind, name=name, description=about, arguments_schema=dict_to_struct(schema))


def _schema(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[parameter.kind]}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.minimum is not None:
        schema["minimum"] = parameter.minimum
    if parameter.maximum is not None:
        schema["maximum"] = parameter.maximum
    if parameter.length is not None:
        schema = {
            "type": "array",
            "items": schema,
            "minItems": parameter.length,
            "maxItems": parameter.length,
        }
    schema["description"] = parameter.about
    if not parameter.required:
        schema["default"] = list(parameter.default) if parameter.length is not None else parameter.default
    return schema
