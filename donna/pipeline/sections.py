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
    """Passes over the training part; fractions are allowed, and 0 only evaluates."""
    batch_size: Count = 64
    """Images of an optimiser step."""
    learning_rate: Positive = 1e-3
    """Its peak: it rises during the warm-up, then falls along a cosine."""
    weight_decay: NonNegative = 1e-4
    """Decay of the weights, apart from the gradient."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps during which the learning rate rises."""
    soft_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the reference's soft targets in the loss; the labels have the rest."""
    temperature: Positive = 4.0
    """What logits are divided by before they are compared with the reference's."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each label that is spread over all classes."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of a moving average of the weights, which is what is kept; 0: no average."""
    optimizer: str = "adamw"
    """`adamw` or `sgd`."""
    processes: Count = 1
    """Processes that share the batches of one network, each on its GPU."""


class DistillationRecipe(Section):
    """How every option of every block is trained; `replace_one_quality` scores each also alone in the reference, as a
    second quality that the predictor may choose."""

    epochs: Positive
    """Passes of the training part through each block."""
    batch_size: Count = 64
    """Images of an optimiser step."""
    learning_rate: Positive = 1e-2
    """Its peak: it rises during the warm-up, then falls along a cosine."""
    weight_decay: NonNegative = 1e-4
    """Decay of the weights, apart from the gradient."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps during which the learning rate rises."""
    optimizer: str = "adamw"
    """`adamw` or `sgd`."""
    calibration_batches: Count = 32
    """Batches that estimate the normalisation statistics again before a quality is measured."""
    quality_points: Count = 3
    """How often the quality is measured, evenly spaced: does the ranking still change at the end?"""
    replace_one_quality: bool = False
    """Score each option also alone in the reference, as a second quality for the predictor."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What convolutions and matrix products compute in while options train."""


class Reference(Section):
    """The reference network and where its trained weights come from: a safetensors file, its provider (`pretrained`,
    which `arguments: {weights: library}` means too), or training, which goes on from the provider's weights."""

    provider: str
    """`small_cnn`, `torchvision`, `timm`, or one of a package of yours."""
    arguments: Arguments = {}
    """What the provider is given, e.g. `{name: resnet50, num_classes: 100}`."""
    weights: Path | None = None
    """A safetensors file with its trained weights."""
    pretrained: bool = False
    """Take the weights that the provider brings."""
    train: FinetuneRecipe | None = None
    """Train it first, from scratch or from the weights of the provider."""
    provenance: dict[str, str] = {}
    """Licence, source and the like: kept with the library and in every exported model."""

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
    """Images that blocks and networks are trained on."""
    quality: Count
    """Images that blocks are judged on."""
    validation: Count
    """Images that networks are compared on."""
    test: Count
    """Images that are looked at once, at the end."""
    seed: Seed = 0
    """Which images go where."""


class Augmentation(Section):
    """One augmentation of the training images, by registered name."""

    name: str
    """A registered augmentation: `donna inspect providers augmentation` lists them."""
    arguments: Arguments = {}
    """What it is given."""


class Normalisation(Section):
    """x -> (x - mean) / std on pixels in [0, 1]; one value of each for every channel."""

    mean: Annotated[tuple[float, ...], Field(min_length=1)]
    """What is subtracted, for each channel."""
    std: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """What is divided by, for each channel."""


class Dataset(Section):
    """The data, by registered provider; `normalise` replaces the provider's own normalisation."""

    provider: str
    """`digits`, `torchvision`, `image_folder`, `parquet`, or one of a package of yours."""
    arguments: Arguments = {}
    """What the provider is given; files are named below the data root of the services."""
    split: Split
    """How many images go where."""
    augment: tuple[Augmentation, ...] = ()
    """What is done to training images, in order."""
    normalise: Normalisation | None = None
    """Mean and deviation, in place of the provider's."""


class OptionGrid(BaseModel):
    """All combinations of the listed parameters of one block family."""

    model_config = ConfigDict(extra="allow", frozen=True)
    family: str
    """The block family; its parameters stand beside it, a list each where several values are meant."""

    def expand(self) -> Sequence[Option]:
        """The options in the order written."""
        return expand(self.family, self.model_extra or {})


class Block(Section):
    """A searchable block with options of its own."""

    name: str
    """The submodule of the reference."""
    options: Annotated[tuple[OptionGrid, ...], Field(min_length=1)]
    """What may replace it."""


class Space(Section):
    """Which submodules of the reference are searched, and what may replace them.

    A block given by name alone has the options listed in `options`.
    """

    blocks: Annotated[tuple[str | Block, ...], Field(min_length=1)]
    """Submodules of the reference that are searched, in the order of the network."""
    options: tuple[OptionGrid, ...] = ()
    """What may replace each block that has no options of its own."""

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
    """Networks that are finetuned to fit it."""
    holdout: Whole = 8
    """Networks that are finetuned to judge it, and not used in the fit; 0 or at least 2."""
    design: Literal["d_optimal", "uniform"] = "d_optimal"
    """How the networks to finetune are chosen."""
    order: Literal[0, 1, 2] = 0
    """Order of the polynomial of the block qualities; 0: whichever predicts better."""
    target: Literal["auto", "accuracy", "negative_log_error"] = "auto"
    """What is predicted; `auto`: whichever predicts better."""
    ridge_strengths: tuple[Positive, ...] = ()
    """Strengths to choose from; without any, those of the predictor."""
    qualities: tuple[str, ...] = ()
    """Block qualities to use, e.g. `[nsr]`; without any, the fit chooses."""
    interval_coverage: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Share of networks whose accuracy is to lie inside the interval of its prediction."""
    finetune: FinetuneRecipe
    """How the sampled networks are trained."""

    @field_validator("holdout")
    @classmethod
    def _two_or_none(cls, holdout: int) -> int:
        if holdout == 1:
            raise ValueError("must be 0 or at least 2: one network cannot be ranked")
        return holdout


class Measurement(Section):
    """How networks are measured on a device; what is left out is the profiler's default."""

    batch_size: Count = 1
    """Images of a run."""
    threads: Count = 1
    """Threads that a run may use."""
    provider: str = ""
    """ONNX Runtime's execution provider, e.g. `CUDAExecutionProvider`."""
    warmup_runs: Whole = 0
    """Runs that are made first and not counted."""
    min_runs: Whole = 0
    """Runs that are made at least."""
    max_runs: Whole = 0
    """Runs that are made at most."""
    min_time_ms: NonNegative = 0
    """Time that the runs take at least."""
    relative_ci_width: NonNegative = 0
    """Width of the interval of the median, as a share of it, at which measuring may stop."""
    deadline_ms: NonNegative = 0
    """Time after which a measurement is given up."""
    max_repeats: Whole = 0
    """How often an unsettled measurement is made again after a pause."""
    provider_options: dict[str, str] = {}
    """Options of the execution provider."""
    affinity: tuple[Whole, ...] = ()
    """Processors that the runs are bound to."""
    graph_optimization: Literal["", "all", "extended", "basic", "none"] = ""
    """How far ONNX Runtime rewrites the graph."""


LATENCY = "latency_ms"
Metric = Literal["accuracy", "latency_ms", "parameters", "macs", "model_bytes", "activation_bytes"]


class Objective(Section):
    """What to optimise: accuracy is maximised, the rest minimised. A latency names its device."""

    metric: Metric
    """What is optimised."""
    device: str = ""
    """The device, or kind of device, of a latency; the only one there is when left out."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"metric": value} if isinstance(value, str) else value


class Bound(Section):
    """A hard bound on a metric."""

    metric: Metric
    """What is bounded."""
    device: str = ""
    """The device, or kind of device, of a latency; the only one there is when left out."""
    min: float | None = None
    """The smallest value that is allowed."""
    max: float | None = None
    """The largest value that is allowed; one of the two must be given."""

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
    """What to optimise, by name or as `{metric: latency_ms, device: phone}`."""
    bounds: tuple[Bound, ...] = ()
    """What every network must keep to."""
    algorithm: Literal["nsga2", "exact"] = "nsga2"
    """`exact` needs a predictor of the first order and costs that add up."""
    latency: Literal["measured", "table", "table_refined"] = "measured"
    """Whole networks, or a calibrated table of blocks, or the table with its front measured until it is stable."""
    population: Annotated[int, Field(ge=4, le=MOST)] = 100
    """Networks of a generation."""
    generations: Count = 50
    """How many generations."""
    max_measurements: Whole = 0
    """Networks that may be measured on each device; 0: as many as it takes."""
    measurement: Measurement = Measurement()
    """How networks are measured."""
    seed: Seed | None = None
    """Of the evolution; the run's when left out."""

    @property
    def latencies(self) -> tuple[Objective | Bound, ...]:
        """The objectives and bounds that are latencies."""
        every: tuple[Objective | Bound, ...] = (*self.objectives, *self.bounds)
        return tuple(item for item in every if item.metric == LATENCY)


class Improve(Section):
    """Rounds of improvement: networks of the front are finetuned, the predictor is fitted again with them, and the
    front is searched again. The budget is `rounds` times `networks`."""

    rounds: Annotated[int, Field(ge=0, le=20)] = 0
    """How often; 0: not at all."""
    networks: Annotated[int, Field(ge=2, le=1000)] = 4
    """Networks of the front that are finetuned in each round."""


class Finetune(FinetuneRecipe):
    """The winners: how many networks of the front, how they are trained and exported. Models take batches of any size
    unless `fixed_batch` says one, and normalised images unless the normalisation is to be inside."""

    winners: Count = 3
    """Networks of the front that are finetuned and exported, the most accurate always among them."""
    opset: Literal[18, 19, 20] = 18
    """ONNX opset of the models."""
    int8: bool = False
    """Export an 8-bit model beside each, calibrated on training images."""
    include_normalization: bool = False
    """Put the normalisation of the images into the models."""
    fixed_batch: Whole = 0
    """Batch size of the models; 0: any."""
