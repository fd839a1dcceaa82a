"""The manifest of a block library: what was cut from which reference, and for every option of every
block its quality, its costs and the hashes of its weights and of its ONNX fragment.

It is a JSON artifact. Everything the predictor and the searcher need is inside; weights and fragments
are fetched by hash by those who need them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from donna.errors import InvalidArgument
from donna.space.architecture import Architecture
from donna.space.option import Option

FORMAT = "donna.library/1"
NSR = "nsr"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Stem or head: fixed, taken from the reference. Hashes are sha256 in hex."""

    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int
    weights: str
    fragment: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One trained option of one block.

    `quality` is the NSR on held-out data (0 is the reference's own block, 1 is no better than channel means);
    `key` names the training that made it: family, options, reference, dataset, recipe and seed.
    `qualities` holds extra measures by name (e.g. `kl`, the divergence of the reference's logits when this
    block alone replaces the reference's). `activation_bytes` is the peak of live activations inside the
    block for one image. `curve` has the quality at several points of the training as (steps done, NSR), the
    last being `quality`.
    """

    option: str
    key: str
    quality: float
    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int
    weights: str
    fragment: str
    qualities: dict[str, float] = field(default_factory=dict)
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Block:
    """Searchable block n: a named submodule of the reference; shapes are (C, H, W) or (L, D), no batch."""

    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Library:
    """A block library. `reference`, `dataset` and `recipe` are the JSON descriptions it was built from;
    `provenance` carries licence and source of the reference's weights to every exported model; `failures` says of
    options that were asked for but are not in the space, as `block/option`, why they could not be trained."""

    reference: dict[str, Any]
    dataset: dict[str, Any]
    recipe: dict[str, Any]
    provenance: dict[str, str]
    input_shape: tuple[int, ...]
    num_classes: int
    stem: Part
    blocks: tuple[Block, ...]
    head: Part
    failures: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT

    @property
    def num_options(self) -> tuple[int, ...]:
        """M_n for every block n."""
        return tuple(len(block.entries) for block in self.blocks)

    @property
    def num_architectures(self) -> int:
        """The size of the space, exactly."""
        total = 1
        for count in self.num_options:
            total *= count
        return total

    def options(self, architecture: Architecture) -> tuple[Option, ...]:
        """The option chosen for each block. Raises InvalidArgument for a choice that is not in the space."""
        return tuple(Option.parse(entry.option) for entry in self.entries(architecture))

    def entries(self, architecture: Architecture) -> tuple[Entry, ...]:
        """The entry chosen for each block. Raises InvalidArgument for a choice that is not in the space."""
        architecture.check(self.num_options)
        return tuple(b.entries[c] for b, c in zip(self.blocks, architecture.choices, strict=True))

    def fragments(self, architecture: Architecture) -> tuple[str, ...]:
        """Hashes of the ONNX fragments of the whole network, in order: stem, blocks, head."""
        return (self.stem.fragment, *(e.fragment for e in self.entries(architecture)), self.head.fragment)

    def check_choices(self, choices: np.ndarray) -> np.ndarray:
        """`choices` as an (A, N) int64 matrix of this space; raises InvalidArgument otherwise."""
        X = np.asarray(choices)
        N = len(self.blocks)
        if X.ndim != 2 or X.shape[1] != N or X.dtype.kind not in "iu":
            raise InvalidArgument.of(
                "choices", f"must be integers of shape (A, {N}), got {X.dtype} {X.shape}"
            )
        if X.size and ((X < 0).any() or (X >= np.asarray(self.num_options)).any()):
            row = int(np.argmax(((X < 0) | (X >= np.asarray(self.num_options))).any(axis=1)))
            raise InvalidArgument.of(
                "choices", f"row {row} ({X[row].tolist()}) is not in the space {self.num_options}"
            )
        return X.astype(np.int64, copy=False)

    def qualities(self, choices: np.ndarray, name: str = NSR) -> np.ndarray:
        """(A, N) float64 qualities of (A, N) choices; `name` as for `quality_table`."""
        X = self.check_choices(choices)
        return self.quality_table(name)[np.arange(len(self.blocks)), X]

    def costs(self, choices: np.ndarray, cost: str) -> np.ndarray:
        """(A,) float64 cost of whole networks with stem and head: "parameters", "macs" or "weight_bytes".

        Peak activation memory ("activation_bytes") is the largest of the parts, not their sum.
        """
        X = self.check_choices(choices)
        gathered = self.cost_table(cost)[np.arange(len(self.blocks)), X]
        ends = [float(getattr(self.stem, cost)), float(getattr(self.head, cost))]
        return (
            np.max(np.c_[gathered, np.tile(ends, (len(gathered), 1))], axis=1)
            if cost == "activation_bytes"
            else gathered.sum(axis=1) + sum(ends)
        )

    def quality_table(self, name: str = NSR) -> np.ndarray:
        """(N, max M) float64 qualities of single options, padded with NaN, also for an entry without this quality.
        `name` is "nsr" or an extra quality of the entries."""
        return self._table(
            f"quality:{name}",
            lambda entry: entry.quality if name == NSR else entry.qualities.get(name, np.nan),
        )

    def cost_table(self, cost: str) -> np.ndarray:
        """(N, max M) float64 costs of single options, padded with NaN; `cost` as for `costs`."""
        return self._table(cost, lambda entry: getattr(entry, cost))

    def _table(self, key: str, value: Callable[[Entry], float]) -> np.ndarray:
        if key not in self._tables:
            table = np.full((len(self.blocks), max(self.num_options)), np.nan)
            for n, block in enumerate(self.blocks):
                table[n, : len(block.entries)] = [value(entry) for entry in block.entries]
            table.flags.writeable = False
            self._tables[key] = table
        return self._tables[key]

    @cached_property
    def _tables(self) -> dict[str, np.ndarray]:
        return {}

    def to_json(self) -> bytes:
        """Canonical bytes: equal libraries have equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical bytes, in hex."""
        return hashlib.sha256(self.to_json()).hexdigest()

    @cached_property
    def lineage(self) -> str:
        """sha256 in hex over reference, dataset, recipe and the blocks' names and shapes, not their entries.

        Libraries of one lineage have comparable qualities: what was fitted on one holds for another that
        has more entries.
        """
        origin = {
            "reference": self.reference,
            "dataset": self.dataset,
            "recipe": self.recipe,
            "input_shape": self.input_shape,
            "num_classes": self.num_classes,
            "blocks": [(block.name, block.input_shape, block.output_shape) for block in self.blocks],
        }
        data = json.dumps(origin, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(data.encode()).hexdigest()

    @classmethod
    def from_json(cls, data: bytes | str) -> Library:
        """The inverse of `to_json`. Raises InvalidArgument when the bytes are no manifest of this format."""
        try:
            raw = json.loads(data, parse_float=_finite, parse_constant=_finite)
            if raw.get("format") != FORMAT:
                raise InvalidArgument.of("library", f"format must be {FORMAT!r}, got {raw.get('format')!r}")
            blocks = tuple(
                Block(
                    name=_text(block["name"]),
                    input_shape=_shape(block["input_shape"]),
                    output_shape=_shape(block["output_shape"]),
                    entries=tuple(
                        _checked(Entry(**{**entry, "curve": _curve(entry.get("curve", ()))}))
                        for entry in block["entries"]
                    ),
                )
                for block in raw.pop("blocks")
            )
            if not blocks or not all(block.entries for block in blocks):
                raise InvalidArgument.of(
                    "library", "must have at least one block, and in each block one option"
                )
            shape = _shape(raw.pop("input_shape"))
            stem, head = _checked(Part(**raw.pop("stem"))), _checked(Part(**raw.pop("head")))
            return _checked(cls(**raw, input_shape=shape, stem=stem, head=head, blocks=blocks))
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InvalidArgument.of(
                "library", f"is not a library manifest ({type(error).__name__})"
            ) from error


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "dict[str, Any]": (dict,),
    "dict[str, str]": (dict,),
    "dict[str, float]": (dict,),
}


def _checked(record: T) -> T:
    """A record whose plain fields are of their types: a manifest may come from anybody. Raises TypeError."""
    for declared in fields(record):  # type: ignore[arg-type]
        value: Any = getattr(record, declared.name)
        kind = str(declared.type)
        if kind not in _KINDS:
            continue
        if isinstance(value, bool) or not issubclass(type(value), _KINDS[kind]):
            raise TypeError(declared.name)
        if kind == "int" and not 0 <= value < 1 << 62:
            raise ValueError(declared.name)
        if kind == "dict[str, str]" and not all(isinstance(text, str) for text in value.values()):
            raise TypeError(declared.name)
        if kind == "dict[str, float]" and not all(type(number) in (int, float) for number in value.values()):
            raise TypeError(declared.name)
    return record


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("name")
    return value


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(size) is int and 0 < size < 1 << 31 for size in value):
        raise TypeError("shape")
    return tuple(value)


def _curve(value: Any) -> tuple[tuple[int, float], ...]:
    points = [(step, nsr) for step, nsr in value]
    if not all(type(step) is int and type(nsr) in (int, float) for step, nsr in points):
        raise TypeError("curve")
    return tuple(points)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value
