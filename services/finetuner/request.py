"""What a finetune job asks for, as JSON and as records: every field checked, no data read, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from donna.errors import InvalidArgument
from donna.onnx_format import OPSETS
from donna.space import Architecture
from services.finetuner.recipe import Recipe

PARTS = ("validation", "test")
MAX_NETWORKS = 10_000
MAX_BATCH_SIZE = 65_536


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """`batch_size` 0 leaves the batch dynamic; `include_normalization` makes the graph take pixels in [0, 1];
    `int8` asks for a statically quantised model beside the float one."""

    opset: int = 18
    include_normalization: bool = False
    batch_size: int = 0
    int8: bool = False

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> ExportSettings:
        """Raises InvalidArgument naming the wrong field."""
        settings = cls(**raw)
        if settings.opset not in OPSETS:
            raise InvalidArgument.of("export.opset", f"must be one of {OPSETS}, got {settings.opset}")
        if not 0 <= settings.batch_size <= MAX_BATCH_SIZE:
            raise InvalidArgument.of(
                "export.batch_size", f"must be in 0..{MAX_BATCH_SIZE}, got {settings.batch_size}"
            )
        return settings


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """An architecture of the library, or the reference itself (`architecture` None). `weights` is the sha256
    of an earlier run's weights to go on from."""

    architecture: Architecture | None
    weights: str | None = None

    @property
    def label(self) -> str:
        """For people and for the exported model: the choice vector, or the word reference."""
        return str(self.architecture) if self.architecture is not None else "reference"

    def to_dict(self) -> dict[str, Any]:
        """JSON."""
        return {"network": self.label, "weights": self.weights}

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> NetworkRequest:
        """The inverse of `to_dict`."""
        name = raw["network"]
        return cls(
            architecture=None if name == "reference" else Architecture.parse(name), weights=raw.get("weights")
        )


@dataclass(frozen=True, kw_only=True)
class Request:
    """A whole job. `library` is the sha256 of a manifest; `reference` and `dataset` are descriptions as
    donna.nets and donna.data take them; `identity` is that of the data when the job was admitted, None before."""

    library: str | None
    reference: dict[str, Any]
    dataset: dict[str, Any]
    networks: tuple[NetworkRequest, ...]
    recipe: Recipe
    evaluate_on: str
    export: ExportSettings | None
    identity: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON, the inverse of `parse`."""
        return {
            "library": self.library,
            "reference": self.reference,
            "dataset": self.dataset,
            "networks": [network.to_dict() for network in self.networks],
            "recipe": self.recipe.to_dict(),
            "evaluate_on": self.evaluate_on,
            "export": asdict(self.export) if self.export is not None else None,
            "identity": self.identity,
        }

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Request:
        """From the JSON of a job or of one of its tasks."""
        return cls(
            library=raw["library"],
            reference=raw["reference"],
            dataset=raw["dataset"],
            networks=tuple(NetworkRequest.parse(network) for network in raw["networks"]),
            recipe=Recipe.parse(raw["recipe"]),
            evaluate_on=raw["evaluate_on"],
            export=ExportSettings.parse(raw["export"]) if raw["export"] is not None else None,
            identity=raw.get("identity"),
        )

    def check(self) -> None:
        """What the fields say together. Raises InvalidArgument naming the wrong field."""
        if not self.networks or len(self.networks) > MAX_NETWORKS:
            raise InvalidArgument.of("networks", f"must be 1 to {MAX_NETWORKS}, got {len(self.networks)}")
        if self.evaluate_on not in PARTS:
            raise InvalidArgument.of("evaluate_on", f"must be validation or test, got {self.evaluate_on!r}")
        if self.recipe.batch_size % self.recipe.processes:
            raise InvalidArgument.of(
                "recipe.processes",
                f"must divide batch_size {self.recipe.batch_size}, got {self.recipe.processes}",
            )
        for i, network in enumerate(self.networks):
            if network.architecture is not None and self.library is None:
                raise InvalidArgument.of(f"networks[{i}]", f"{network.label} needs a library, there is none")
            taught = self.recipe.epochs > 0 and self.recipe.soft_weight > 0
            if network.architecture is None and taught:
                raise InvalidArgument.of(
                    "recipe.soft_weight",
                    f"must be 0 to train the reference: it has no teacher, got {self.recipe.soft_weight}",
                )
