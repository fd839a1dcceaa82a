from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_WAITING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]

class Metric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_UNSPECIFIED: _ClassVar[Metric]
    METRIC_ACCURACY: _ClassVar[Metric]
    METRIC_LATENCY_MS: _ClassVar[Metric]
    METRIC_PARAMETERS: _ClassVar[Metric]
    METRIC_MACS: _ClassVar[Metric]
    METRIC_MODEL_BYTES: _ClassVar[Metric]
    METRIC_ACTIVATION_BYTES: _ClassVar[Metric]
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_WAITING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
METRIC_UNSPECIFIED: Metric
METRIC_ACCURACY: Metric
METRIC_LATENCY_MS: Metric
METRIC_PARAMETERS: Metric
METRIC_MACS: Metric
METRIC_MODEL_BYTES: Metric
METRIC_ACTIVATION_BYTES: Metric

class Job(_message.Message):
    __slots__ = ("state", "progress", "cost", "error", "waiting_for", "create_time", "start_time", "end_time", "revision")
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    state: JobState
    progress: Progress
    cost: Cost
    error: Error
    waiting_for: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    revision: int
    def __init__(self, state: _Optional[_Union[JobState, str]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., cost: _Optional[_Union[Cost, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., waiting_for: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("done", "total", "message", "eta")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    done: float
    total: float
    message: str
    eta: _duration_pb2.Duration
    def __init__(self, done: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ..., eta: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Cost(_message.Message):
    __slots__ = ("blocks_trained", "blocks_reused", "block_epochs", "reference_passes", "networks_trained", "networks_reused", "network_epochs", "measurements", "measurements_reused", "device_s", "compute_s", "bytes_written")
    BLOCKS_TRAINED_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_REUSED_FIELD_NUMBER: _ClassVar[int]
    BLOCK_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_PASSES_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_TRAINED_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_REUSED_FIELD_NUMBER: _ClassVar[int]
    NETWORK_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_REUSED_FIELD_NUMBER: _ClassVar[int]
    DEVICE_S_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_S_FIELD_NUMBER: _ClassVar[int]
    BYTES_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    blocks_trained: int
    blocks_reused: int
    block_epochs: float
    reference_passes: int
    networks_trained: int
    networks_reused: int
    network_epochs: float
    measurements: int
    measurements_reused: int
    device_s: float
    compute_s: float
    bytes_written: int
    def __init__(self, blocks_trained: _Optional[int] = ..., blocks_reused: _Optional[int] = ..., block_epochs: _Optional[float] = ..., reference_passes: _Optional[int] = ..., networks_trained: _Optional[int] = ..., networks_reused: _Optional[int] = ..., network_epochs: _Optional[float] = ..., measurements: _Optional[int] = ..., measurements_reused: _Optional[int] = ..., device_s: _Optional[float] = ..., compute_s: _Optional[float] = ..., bytes_written: _Optional[int] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("reason", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("uri", "sha256", "size_bytes")
    URI_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    uri: str
    sha256: str
    size_bytes: int
    def __init__(self, uri: _Optional[str] = ..., sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Reference(_message.Message):
    __slots__ = ("provider", "arguments", "weights", "provenance")
    class ProvenanceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    provider: str
    arguments: _struct_pb2.Struct
    weights: Artifact
    provenance: _containers.ScalarMap[str, str]
    def __init__(self, provider: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., weights: _Optional[_Union[Artifact, _Mapping]] = ..., provenance: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("provider", "arguments", "split", "augmentations", "normalisation")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    AUGMENTATIONS_FIELD_NUMBER: _ClassVar[int]
    NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    provider: str
    arguments: _struct_pb2.Struct
    split: DatasetSplit
    augmentations: _containers.RepeatedCompositeFieldContainer[Augmentation]
    normalisation: Normalisation
    def __init__(self, provider: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., split: _Optional[_Union[DatasetSplit, _Mapping]] = ..., augmentations: _Optional[_Iterable[_Union[Augmentation, _Mapping]]] = ..., normalisation: _Optional[_Union[Normalisation, _Mapping]] = ...) -> None: ...

class Normalisation(_message.Message):
    __slots__ = ("mean", "std")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    mean: _containers.RepeatedScalarFieldContainer[float]
    std: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, mean: _Optional[_Iterable[float]] = ..., std: _Optional[_Iterable[float]] = ...) -> None: ...

class DatasetSplit(_message.Message):
    __slots__ = ("training", "quality", "validation", "test", "seed")
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    training: int
    quality: int
    validation: int
    test: int
    seed: int
    def __init__(self, training: _Optional[int] = ..., quality: _Optional[int] = ..., validation: _Optional[int] = ..., test: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class Augmentation(_message.Message):
    __slots__ = ("name", "arguments")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    arguments: _struct_pb2.Struct
    def __init__(self, name: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Architecture(_message.Message):
    __slots__ = ("choices",)
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    choices: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, choices: _Optional[_Iterable[int]] = ...) -> None: ...

class ArchitectureMatrix(_message.Message):
    __slots__ = ("num_architectures", "num_blocks", "choices", "bytes_per_choice")
    NUM_ARCHITECTURES_FIELD_NUMBER: _ClassVar[int]
    NUM_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    BYTES_PER_CHOICE_FIELD_NUMBER: _ClassVar[int]
    num_architectures: int
    num_blocks: int
    choices: bytes
    bytes_per_choice: int
    def __init__(self, num_architectures: _Optional[int] = ..., num_blocks: _Optional[int] = ..., choices: _Optional[bytes] = ..., bytes_per_choice: _Optional[int] = ...) -> None: ...

class MeasurementSettings(_message.Message):
    __slots__ = ("batch_size", "threads", "provider", "provider_options", "warmup_runs", "min_runs", "max_runs", "min_time_ms", "relative_ci_width", "deadline_ms", "affinity", "memory_limit_bytes", "per_layer", "max_repeats", "graph_optimization")
    class ProviderOptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    WARMUP_RUNS_FIELD_NUMBER: _ClassVar[int]
    MIN_RUNS_FIELD_NUMBER: _ClassVar[int]
    MAX_RUNS_FIELD_NUMBER: _ClassVar[int]
    MIN_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_CI_WIDTH_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    AFFINITY_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    PER_LAYER_FIELD_NUMBER: _ClassVar[int]
    MAX_REPEATS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_OPTIMIZATION_FIELD_NUMBER: _ClassVar[int]
    batch_size: int
    threads: int
    provider: str
    provider_options: _containers.ScalarMap[str, str]
    warmup_runs: int
    min_runs: int
    max_runs: int
    min_time_ms: float
    relative_ci_width: float
    deadline_ms: float
    affinity: _containers.RepeatedScalarFieldContainer[int]
    memory_limit_bytes: int
    per_layer: bool
    max_repeats: int
    graph_optimization: str
    def __init__(self, batch_size: _Optional[int] = ..., threads: _Optional[int] = ..., provider: _Optional[str] = ..., provider_options: _Optional[_Mapping[str, str]] = ..., warmup_runs: _Optional[int] = ..., min_runs: _Optional[int] = ..., max_runs: _Optional[int] = ..., min_time_ms: _Optional[float] = ..., relative_ci_width: _Optional[float] = ..., deadline_ms: _Optional[float] = ..., affinity: _Optional[_Iterable[int]] = ..., memory_limit_bytes: _Optional[int] = ..., per_layer: bool = ..., max_repeats: _Optional[int] = ..., graph_optimization: _Optional[str] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("sha256", "offset", "total_bytes", "data")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    offset: int
    total_bytes: int
    data: bytes
    def __init__(self, sha256: _Optional[str] = ..., offset: _Optional[int] = ..., total_bytes: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...
