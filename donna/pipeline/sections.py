"""The sections of a spec, each checked key by key: unknown keys are refused, since a typo must not pass silently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from donna.space.option import Option, expand

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
MOST = 2**31 - 1
"""The largest whole number that the services are told."""
Count = Annotated[int, Field(gt=0, le=MOST)]
Whole = Annotated[int, Field(ge=0, le=MOST)]
Seed = Whole


def _json(value: Any) -> Any:
    """The value, if JSON has it: it travels to the services. Raises ValueError for what YAML knows beside, as dates."""
    if isinstance(value, dict):
        return {_key(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_json(inner) for inner in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"{value} is a {type(value).__name__}, write it in quotes")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{key!r} is no name, write it in quotes")
    return key


Arguments = Annotated[dict[str, Any], BeforeValidator(_json)]


class Section(BaseModel):
    """A part of the spec."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FinetuneRecipe(Section):
    """How a whole network is trained end to end; `processes` share the batches of one network, each on its GPU."""

    epochs: NonNegative
    batch_size: Count = 64
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 1e-4
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    soft_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    temperature: Positive = 4.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    optimizer: str = "adamw"
    processes: Count = 1


class DistillationRecipe(Section):
    """How every option of every block is trained; `replace_one_quality` scores each also alone in the reference, as a
    second quality that the predictor may choose."""

    epochs: Positive
    batch_size: Count = 64
    learning_rate: Positive = 1e-2
    weight_decay: NonNegative = 1e-4
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    optimizer: str = "adamw"
    calibration_batches: Count = 32
    quality_points: Count = 3
    replace_one_quality: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"


class Reference(Section):
    """The reference network and where its trained weights come from: a safetensors file, its provider (`pretrained`,
    which `arguments: {weights: library}` means too), or training, which goes on from the provider's weights."""

    provider: str
    arguments: Arguments = {}
    weights: Path | None = None
    pretrained: bool = False
    train: FinetuneRecipe | None = None
    provenance: dict[str, str] = {}

    @model_validator(mode="after")
    def _weights_from_somewhere(self) -> Reference:
        brought = self.pretrained or self.arguments.get("weights", "none") not in (None, "", "none")
        if self.weights is not None and self.train is not None:
            raise ValueError("give either weights or train, not both")
        if self.weights is not None and brought:
            raise ValueError("give either a file of weights or those of the provider, not both")
        if self.weights is None and self.train is None and not brought:
            raise ValueError(
                "has no trained weights: give weights (a safetensors file), train, "
                "or pretrained: true when the provider brings its own"
            )
        return self


class Split(Section):
    """How many samples go where; `test` is read once, at the end."""

    training: Count
    quality: Count
    validation: Count
    test: Count
    seed: Seed = 0


class Augmentation(Section):
    """One augmentation of the training images, by registered name."""

    name: str
    arguments: Arguments = {}


class Normalisation(Section):
    """x -> (x - mean) / std on pixels in [0, 1]; one value of each for every channel."""

    mean: Annotated[tuple[float, ...], Field(min_length=1)]
    std: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Dataset(Section):
    """The data, by registered provider; `normalise` replaces the provider's own normalisation."""

    provider: str
    arguments: Arguments = {}
    split: Split
    augment: tuple[Augmentation, ...] = ()
    normalise: Normalisation | None = None


class OptionGrid(BaseModel):
    """All combinations of the listed parameters of one block family."""

    model_config = ConfigDict(extra="allow", frozen=True)
    family: str

    def expand(self) -> Sequence[Option]:
        """The options in the order written."""
        return expand(self.family, self.model_extra or {})


class Block(Section):
    """A searchable block with options of its own."""

    name: str
    options: Annotated[tuple[OptionGrid, ...], Field(min_length=1)]


class Space(Section):
    """Which submodules of the reference are searched, and what may replace them.

    A block given by name alone has the options listed in `options`.
    """

    blocks: Annotated[tuple[str | Block, ...], Field(min_length=1)]
    options: tuple[OptionGrid, ...] = ()

    def expand(self) -> list[tuple[str, list[str]]]:
        """Each block's name with its options in text form; duplicates are dropped."""
        return [
            (block, _texts(self.options)) if isinstance(block, str) else (block.name, _texts(block.options))
            for block in self.blocks
        ]

    @model_validator(mode="after")
    def _every_block_has_options(self) -> Space:
        if not self.options and any(isinstance(block, str) for block in self.blocks):
            raise ValueError("blocks without options of their own need the list `options`")
        return self


def _texts(grids: Sequence[OptionGrid]) -> list[str]:
    return list(dict.fromkeys(str(option) for grid in grids for option in grid.expand()))


class Predictor(Section):
    """How many architectures are finetuned to fit the predictor, and how many more to judge it. Without strengths and
    qualities of its own the fit chooses among those that there are."""

    samples: Annotated[int, Field(ge=3, le=MOST)] = 24
    holdout: Whole = 8
    design: Literal["d_optimal", "uniform"] = "d_optimal"
    order: Literal[0, 1, 2] = 0
    target: Literal["auto", "accuracy", "negative_log_error"] = "auto"
    ridge_strengths: tuple[Positive, ...] = ()
    qualities: tuple[str, ...] = ()
    interval_coverage: Annotated[float, Field(gt=0, lt=1)] = 0.9
    finetune: FinetuneRecipe

    @field_validator("holdout")
    @classmethod
    def _two_or_none(cls, holdout: int) -> int:
        if holdout == 1:
            raise ValueError("must be 0 or at least 2: one network cannot be ranked")
        return holdout


class Measurement(Section):
    """How networks are measured on a device; what is left out is the profiler's default."""

    batch_size: Count = 1
    threads: Count = 1
    provider: str = ""
    warmup_runs: Whole = 0
    min_runs: Whole = 0
    max_runs: Whole = 0
    min_time_ms: NonNegative = 0
    relative_ci_width: NonNegative = 0
    deadline_ms: NonNegative = 0
    max_repeats: Whole = 0
    provider_options: dict[str, str] = {}
    affinity: tuple[Whole, ...] = ()
    graph_optimization: Literal["", "all", "extended", "basic", "none"] = ""


LATENCY = "latency_ms"
Metric = Literal["accuracy", "latency_ms", "parameters", "macs", "model_bytes", "activation_bytes"]


class Objective(Section):
    """What to optimise: accuracy is maximised, the rest minimised. A latency names its device."""

    metric: Metric
    device: str = ""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value


class Bound(Section):
    """A hard bound on a metric."""

    metric: Metric
    device: str = ""
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Bound:
        if self.min is None and self.max is None:
            raise ValueError("give min or max")
        return self


class Search(Section):
    """The evolution: objectives, bounds and its size."""

    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)] = (
        Objective(metric="accuracy"),
        Objective(metric="latency_ms"),
    )
    bounds: tuple[Bound, ...] = ()
    algorithm: Literal["nsga2", "exact"] = "nsga2"
    latency: Literal["measured", "table", "table_refined"] = "measured"
    population: Annotated[int, Field(ge=4, le=MOST)] = 100
    generations: Count = 50
    max_measurements: Whole = 0
    measurement: Measurement = Measurement()
    seed: Seed | None = None

    @property
    def latencies(self) -> tuple[Objective | Bound, ...]:
        """The objectives and bounds that are latencies."""
        every: tuple[Objective | Bound, ...] = (*self.objectives, *self.bounds)
        return tuple(item for item in every if item.metric == LATENCY)


class Improve(Section):
    """Rounds of improvement: networks of the front are finetuned, the predictor is fitted again with them, and the
    front is searched again. The budget is `rounds` times `networks`."""

    rounds: Annotated[int, Field(ge=0, le=20)] = 0
    networks: Annotated[int, Field(ge=2, le=1000)] = 4


class Finetune(FinetuneRecipe):
    """The winners: how many networks of the front, how they are trained and exported. Models take batches of any size
    unless `fixed_batch` says one, and normalised images unless the normalisation is to be inside."""

    winners: Count = 3
    opset: Literal[18, 19, 20] = 18
    int8: bool = False
    include_normalization: bool = False
    fixed_batch: Whole = 0
