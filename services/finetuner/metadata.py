"""What an exported model says of itself, in the metadata of its ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import onnx

from donna.data.normalisation import Normalisation


def metadata(
    *,
    name: str,
    options: Sequence[str],
    class_names: Sequence[str],
    normalisation: Normalisation,
    inside: bool,
    provenance: Mapping[str, str],
    library: str | None,
    versions: Mapping[str, str],
) -> dict[str, str]:
    """Names to texts; lists and mappings are JSON. `inside` says whether the normalisation is in the graph;
    `provenance` (licence and source of the reference's weights) comes with the library."""
    scaling = {"mean": list(normalisation.mean), "std": list(normalisation.std), "inside": inside}
    said = {
        "donna.architecture": name,
        "donna.options": json.dumps(list(options)),
        "donna.labels": json.dumps(list(class_names)),
        "donna.normalisation": json.dumps(scaling),
        "donna.input": "x: pixels in [0, 1]" if inside else "x: (pixels in [0, 1] - mean) / std",
        "donna.versions": json.dumps(dict(sorted(versions.items()))),
        **{f"donna.provenance.{key}": value for key, value in sorted(provenance.items())},
    }
    return {**said, "donna.library": library} if library else said


def measured(accuracy: float, part: str) -> dict[str, str]:
    """What a model itself was measured to be."""
    return {"donna.accuracy": f"{accuracy:.6f}", "donna.accuracy_on": part}


def stamped(model: bytes, said: Mapping[str, str]) -> bytes:
    """The same model with this metadata and no other."""
    proto = onnx.load_model_from_string(model)
    del proto.metadata_props[:]
    for name, value in sorted(said.items()):
        proto.metadata_props.add(key=name, value=value)
    return proto.SerializeToString(deterministic=True)
