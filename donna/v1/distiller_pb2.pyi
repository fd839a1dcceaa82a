from donna.v1 import common_pb2 as _common_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BlockLibrarySpec(_message.Message):
    __slots__ = ("reference", "dataset", "blocks", "recipe")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    reference: _common_pb2.Reference
    dataset: _common_pb2.Dataset
    blocks: _containers.RepeatedCompositeFieldContainer[BlockSpace]
    recipe: DistillationRecipe
    def __init__(self, reference: _Optional[_Union[_common_pb2.Reference, _Mapping]] = ..., dataset: _Optional[_Union[_common_pb2.Dataset, _Mapping]] = ..., blocks: _Optional[_Iterable[_Union[BlockSpace, _Mapping]]] = ..., recipe: _Optional[_Union[DistillationRecipe, _Mapping]] = ...) -> None: ...

class BlockSpace(_message.Message):
    __slots__ = ("name", "options")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    options: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., options: _Optional[_Iterable[str]] = ...) -> None: ...

class DistillationRecipe(_message.Message):
    __slots__ = ("epochs", "batch_size", "learning_rate", "weight_decay", "seed", "optimizer", "replace_one_quality", "warmup_fraction", "calibration_batches", "quality_points", "precision")
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    REPLACE_ONE_QUALITY_FIELD_NUMBER: _ClassVar[int]
    WARMUP_FRACTION_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_BATCHES_FIELD_NUMBER: _ClassVar[int]
    QUALITY_POINTS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    epochs: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int
    optimizer: str
    replace_one_quality: bool
    warmup_fraction: float
    calibration_batches: int
    quality_points: int
    precision: str
    def __init__(self, epochs: _Optional[float] = ..., batch_size: _Optional[int] = ..., learning_rate: _Optional[float] = ..., weight_decay: _Optional[float] = ..., seed: _Optional[int] = ..., optimizer: _Optional[str] = ..., replace_one_quality: bool = ..., warmup_fraction: _Optional[float] = ..., calibration_batches: _Optional[int] = ..., quality_points: _Optional[int] = ..., precision: _Optional[str] = ...) -> None: ...

class BlockLibrary(_message.Message):
    __slots__ = ("name", "spec", "job", "manifest", "num_blocks", "num_options", "num_architectures", "plan", "settling")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    NUM_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    NUM_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    NUM_ARCHITECTURES_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SETTLING_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: BlockLibrarySpec
    job: _common_pb2.Job
    manifest: _common_pb2.Artifact
    num_blocks: int
    num_options: _containers.RepeatedScalarFieldContainer[int]
    num_architectures: str
    plan: DistillationPlan
    settling: _containers.RepeatedCompositeFieldContainer[BlockSettling]
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[BlockLibrarySpec, _Mapping]] = ..., job: _Optional[_Union[_common_pb2.Job, _Mapping]] = ..., manifest: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., num_blocks: _Optional[int] = ..., num_options: _Optional[_Iterable[int]] = ..., num_architectures: _Optional[str] = ..., plan: _Optional[_Union[DistillationPlan, _Mapping]] = ..., settling: _Optional[_Iterable[_Union[BlockSettling, _Mapping]]] = ...) -> None: ...

class BlockSettling(_message.Message):
    __slots__ = ("block", "rank_correlation", "settled")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    RANK_CORRELATION_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    block: str
    rank_correlation: float
    settled: bool
    def __init__(self, block: _Optional[str] = ..., rank_correlation: _Optional[float] = ..., settled: bool = ...) -> None: ...

class DistillationPlan(_message.Message):
    __slots__ = ("blocks_to_train", "blocks_to_reuse", "groups", "reference_passes", "estimated_memory_bytes", "estimated_s", "costs", "estimated_from", "workers")
    BLOCKS_TO_TRAIN_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_TO_REUSE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_PASSES_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_S_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FROM_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    blocks_to_train: int
    blocks_to_reuse: int
    groups: int
    reference_passes: int
    estimated_memory_bytes: int
    estimated_s: float
    costs: _containers.RepeatedCompositeFieldContainer[CostRange]
    estimated_from: str
    workers: int
    def __init__(self, blocks_to_train: _Optional[int] = ..., blocks_to_reuse: _Optional[int] = ..., groups: _Optional[int] = ..., reference_passes: _Optional[int] = ..., estimated_memory_bytes: _Optional[int] = ..., estimated_s: _Optional[float] = ..., costs: _Optional[_Iterable[_Union[CostRange, _Mapping]]] = ..., estimated_from: _Optional[str] = ..., workers: _Optional[int] = ...) -> None: ...

class CostRange(_message.Message):
    __slots__ = ("metric", "smallest", "largest")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    SMALLEST_FIELD_NUMBER: _ClassVar[int]
    LARGEST_FIELD_NUMBER: _ClassVar[int]
    metric: _common_pb2.Metric
    smallest: float
    largest: float
    def __init__(self, metric: _Optional[_Union[_common_pb2.Metric, str]] = ..., smallest: _Optional[float] = ..., largest: _Optional[float] = ...) -> None: ...

class BlockEntry(_message.Message):
    __slots__ = ("block", "choice", "option", "nsr", "qualities", "parameters", "macs", "weight_bytes", "activation_bytes", "weights", "fragment", "key", "curve")
    class QualitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    OPTION_FIELD_NUMBER: _ClassVar[int]
    NSR_FIELD_NUMBER: _ClassVar[int]
    QUALITIES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MACS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BYTES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_BYTES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    block: int
    choice: int
    option: str
    nsr: float
    qualities: _containers.ScalarMap[str, float]
    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int
    weights: _common_pb2.Artifact
    fragment: _common_pb2.Artifact
    key: str
    curve: _containers.RepeatedCompositeFieldContainer[QualityPoint]
    def __init__(self, block: _Optional[int] = ..., choice: _Optional[int] = ..., option: _Optional[str] = ..., nsr: _Optional[float] = ..., qualities: _Optional[_Mapping[str, float]] = ..., parameters: _Optional[int] = ..., macs: _Optional[int] = ..., weight_bytes: _Optional[int] = ..., activation_bytes: _Optional[int] = ..., weights: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., fragment: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., key: _Optional[str] = ..., curve: _Optional[_Iterable[_Union[QualityPoint, _Mapping]]] = ...) -> None: ...

class QualityPoint(_message.Message):
    __slots__ = ("step", "nsr")
    STEP_FIELD_NUMBER: _ClassVar[int]
    NSR_FIELD_NUMBER: _ClassVar[int]
    step: int
    nsr: float
    def __init__(self, step: _Optional[int] = ..., nsr: _Optional[float] = ...) -> None: ...

class CreateBlockLibraryRequest(_message.Message):
    __slots__ = ("spec", "request_id", "validate_only")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    spec: BlockLibrarySpec
    request_id: str
    validate_only: bool
    def __init__(self, spec: _Optional[_Union[BlockLibrarySpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreateBlockLibraryResponse(_message.Message):
    __slots__ = ("block_library",)
    BLOCK_LIBRARY_FIELD_NUMBER: _ClassVar[int]
    block_library: BlockLibrary
    def __init__(self, block_library: _Optional[_Union[BlockLibrary, _Mapping]] = ...) -> None: ...

class GetBlockLibraryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetBlockLibraryResponse(_message.Message):
    __slots__ = ("block_library",)
    BLOCK_LIBRARY_FIELD_NUMBER: _ClassVar[int]
    block_library: BlockLibrary
    def __init__(self, block_library: _Optional[_Union[BlockLibrary, _Mapping]] = ...) -> None: ...

class ListBlockLibrariesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBlockLibrariesResponse(_message.Message):
    __slots__ = ("block_libraries", "next_page_token")
    BLOCK_LIBRARIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    block_libraries: _containers.RepeatedCompositeFieldContainer[BlockLibrary]
    next_page_token: str
    def __init__(self, block_libraries: _Optional[_Iterable[_Union[BlockLibrary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteBlockLibraryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteBlockLibraryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelBlockLibraryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelBlockLibraryResponse(_message.Message):
    __slots__ = ("block_library",)
    BLOCK_LIBRARY_FIELD_NUMBER: _ClassVar[int]
    block_library: BlockLibrary
    def __init__(self, block_library: _Optional[_Union[BlockLibrary, _Mapping]] = ...) -> None: ...

class WatchBlockLibraryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchBlockLibraryResponse(_message.Message):
    __slots__ = ("block_library",)
    BLOCK_LIBRARY_FIELD_NUMBER: _ClassVar[int]
    block_library: BlockLibrary
    def __init__(self, block_library: _Optional[_Union[BlockLibrary, _Mapping]] = ...) -> None: ...

class ListBlockEntriesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBlockEntriesResponse(_message.Message):
    __slots__ = ("block_entries", "next_page_token")
    BLOCK_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    block_entries: _containers.RepeatedCompositeFieldContainer[BlockEntry]
    next_page_token: str
    def __init__(self, block_entries: _Optional[_Iterable[_Union[BlockEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class InspectReferenceRequest(_message.Message):
    __slots__ = ("reference", "input_shape")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    reference: _common_pb2.Reference
    input_shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, reference: _Optional[_Union[_common_pb2.Reference, _Mapping]] = ..., input_shape: _Optional[_Iterable[int]] = ...) -> None: ...

class InspectReferenceResponse(_message.Message):
    __slots__ = ("submodules", "proposed_blocks", "parameters", "macs")
    SUBMODULES_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MACS_FIELD_NUMBER: _ClassVar[int]
    submodules: _containers.RepeatedCompositeFieldContainer[Submodule]
    proposed_blocks: _containers.RepeatedScalarFieldContainer[str]
    parameters: int
    macs: int
    def __init__(self, submodules: _Optional[_Iterable[_Union[Submodule, _Mapping]]] = ..., proposed_blocks: _Optional[_Iterable[str]] = ..., parameters: _Optional[int] = ..., macs: _Optional[int] = ...) -> None: ...

class InspectDatasetRequest(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: _common_pb2.Dataset
    def __init__(self, dataset: _Optional[_Union[_common_pb2.Dataset, _Mapping]] = ...) -> None: ...

class InspectDatasetResponse(_message.Message):
    __slots__ = ("dataset", "class_names", "input_shape")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAMES_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    dataset: _common_pb2.Dataset
    class_names: _containers.RepeatedScalarFieldContainer[str]
    input_shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, dataset: _Optional[_Union[_common_pb2.Dataset, _Mapping]] = ..., class_names: _Optional[_Iterable[str]] = ..., input_shape: _Optional[_Iterable[int]] = ...) -> None: ...

class Submodule(_message.Message):
    __slots__ = ("name", "type", "input_shape", "output_shape", "parameters", "macs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MACS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    input_shape: _containers.RepeatedScalarFieldContainer[int]
    output_shape: _containers.RepeatedScalarFieldContainer[int]
    parameters: int
    macs: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., input_shape: _Optional[_Iterable[int]] = ..., output_shape: _Optional[_Iterable[int]] = ..., parameters: _Optional[int] = ..., macs: _Optional[int] = ...) -> None: ...

class ListProvidersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProvidersResponse(_message.Message):
    __slots__ = ("providers",)
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedCompositeFieldContainer[Provider]
    def __init__(self, providers: _Optional[_Iterable[_Union[Provider, _Mapping]]] = ...) -> None: ...

class Provider(_message.Message):
    __slots__ = ("kind", "name", "description", "arguments_schema")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    description: str
    arguments_schema: _struct_pb2.Struct
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., arguments_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
