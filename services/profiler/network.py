"""What is measured: a whole model, or fragments that are stitched here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnx import ModelProto

from donna.errors import InvalidArgument
from donna.graphs import fill, filled_bytes, is_weightless, stitch
from services.profiler.failure import INVALID_MODEL, failure
from services.profiler.measurement import fragments_sha256
from services.profiler.models import ModelStore

MAX_FRAGMENTS = 256


@dataclass(frozen=True, kw_only=True)
class Network:
    """Hashes only: of one whole model, or of fragments in order. Exactly one of the two is set."""

    model: str = ""
    fragments: tuple[str, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """Everything that has to be on this host."""
        return self.fragments or (self.model,)

    @property
    def sha256(self) -> str:
        """Its identity, for the cache."""
        return fragments_sha256(self.fragments) if self.fragments else self.model

    def load(self, store: ModelStore) -> bytes:
        """The ONNX bytes to run; the weights of fragments are filled in where they were left out.

        Raises FailedPrecondition (MODEL_MISSING), and (INVALID_MODEL) when fragments do not fit together or are larger
        together than one model may be.
        """
        if self.model:
            return store.get(self.model)
        try:
            network = stitch(self._parts(store))
            return (fill(network) if is_weightless(network) else network).SerializeToString()
        except InvalidArgument as error:
            raise failure(INVALID_MODEL, error.message) from None

    def _parts(self, store: ModelStore) -> list[ModelProto]:
        limit, size, parts = store.limits.size_bytes, 0, []
        for sha256 in self.fragments:
            parts.append(ModelProto.FromString(store.get(sha256)))
            size += parts[-1].ByteSize() + filled_bytes(parts[-1])
            if size > limit:
                said = f"have more than {limit} bytes with their weights, which is what one model may have"
                raise InvalidArgument.of("fragments", said)
        return parts

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a job's spec."""
        return {"model": self.model, "fragments": list(self.fragments)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Network:
        """The inverse of `to_json`."""
        return cls(model=raw["model"], fragments=tuple(raw["fragments"]))
