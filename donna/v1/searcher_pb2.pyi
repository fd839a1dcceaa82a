from donna.v1 import common_pb2 as _common_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchAlgorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_ALGORITHM_UNSPECIFIED: _ClassVar[SearchAlgorithm]
    SEARCH_ALGORITHM_NSGA2: _ClassVar[SearchAlgorithm]
    SEARCH_ALGORITHM_EXACT: _ClassVar[SearchAlgorithm]

class LatencyMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LATENCY_MODE_UNSPECIFIED: _ClassVar[LatencyMode]
    LATENCY_MODE_MEASURED: _ClassVar[LatencyMode]
    LATENCY_MODE_TABLE: _ClassVar[LatencyMode]
    LATENCY_MODE_TABLE_REFINED: _ClassVar[LatencyMode]
SEARCH_ALGORITHM_UNSPECIFIED: SearchAlgorithm
SEARCH_ALGORITHM_NSGA2: SearchAlgorithm
SEARCH_ALGORITHM_EXACT: SearchAlgorithm
LATENCY_MODE_UNSPECIFIED: LatencyMode
LATENCY_MODE_MEASURED: LatencyMode
LATENCY_MODE_TABLE: LatencyMode
LATENCY_MODE_TABLE_REFINED: LatencyMode

class SearchSpec(_message.Message):
    __slots__ = ("library", "predictor", "objectives", "bounds", "algorithm", "population", "generations", "seed", "latency_mode", "measurement", "max_measurements", "initial")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    POPULATION_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MODE_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    MAX_MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    library: _common_pb2.Artifact
    predictor: str
    objectives: _containers.RepeatedCompositeFieldContainer[Objective]
    bounds: _containers.RepeatedCompositeFieldContainer[Bound]
    algorithm: SearchAlgorithm
    population: int
    generations: int
    seed: int
    latency_mode: LatencyMode
    measurement: _common_pb2.MeasurementSettings
    max_measurements: int
    initial: _containers.RepeatedCompositeFieldContainer[_common_pb2.Architecture]
    def __init__(self, library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., predictor: _Optional[str] = ..., objectives: _Optional[_Iterable[_Union[Objective, _Mapping]]] = ..., bounds: _Optional[_Iterable[_Union[Bound, _Mapping]]] = ..., algorithm: _Optional[_Union[SearchAlgorithm, str]] = ..., population: _Optional[int] = ..., generations: _Optional[int] = ..., seed: _Optional[int] = ..., latency_mode: _Optional[_Union[LatencyMode, str]] = ..., measurement: _Optional[_Union[_common_pb2.MeasurementSettings, _Mapping]] = ..., max_measurements: _Optional[int] = ..., initial: _Optional[_Iterable[_Union[_common_pb2.Architecture, _Mapping]]] = ...) -> None: ...

class Objective(_message.Message):
    __slots__ = ("metric", "device")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    metric: _common_pb2.Metric
    device: str
    def __init__(self, metric: _Optional[_Union[_common_pb2.Metric, str]] = ..., device: _Optional[str] = ...) -> None: ...

class Bound(_message.Message):
    __slots__ = ("metric", "device", "min", "max")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    metric: _common_pb2.Metric
    device: str
    min: float
    max: float
    def __init__(self, metric: _Optional[_Union[_common_pb2.Metric, str]] = ..., device: _Optional[str] = ..., min: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

class Search(_message.Message):
    __slots__ = ("name", "spec", "job", "front", "num_evaluations", "num_measured", "generations", "feasibility", "latency_table_errors")
    class NumMeasuredEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LatencyTableErrorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: LatencyTableError
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[LatencyTableError, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    FRONT_FIELD_NUMBER: _ClassVar[int]
    NUM_EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    NUM_MEASURED_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    FEASIBILITY_FIELD_NUMBER: _ClassVar[int]
    LATENCY_TABLE_ERRORS_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: SearchSpec
    job: _common_pb2.Job
    front: _containers.RepeatedCompositeFieldContainer[FrontPoint]
    num_evaluations: int
    num_measured: _containers.ScalarMap[str, int]
    generations: _containers.RepeatedCompositeFieldContainer[GenerationProgress]
    feasibility: FeasibilityTable
    latency_table_errors: _containers.MessageMap[str, LatencyTableError]
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[SearchSpec, _Mapping]] = ..., job: _Optional[_Union[_common_pb2.Job, _Mapping]] = ..., front: _Optional[_Iterable[_Union[FrontPoint, _Mapping]]] = ..., num_evaluations: _Optional[int] = ..., num_measured: _Optional[_Mapping[str, int]] = ..., generations: _Optional[_Iterable[_Union[GenerationProgress, _Mapping]]] = ..., feasibility: _Optional[_Union[FeasibilityTable, _Mapping]] = ..., latency_table_errors: _Optional[_Mapping[str, LatencyTableError]] = ...) -> None: ...

class GenerationProgress(_message.Message):
    __slots__ = ("generation", "num_evaluations", "hypervolume", "front_size")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    NUM_EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    HYPERVOLUME_FIELD_NUMBER: _ClassVar[int]
    FRONT_SIZE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    num_evaluations: int
    hypervolume: float
    front_size: int
    def __init__(self, generation: _Optional[int] = ..., num_evaluations: _Optional[int] = ..., hypervolume: _Optional[float] = ..., front_size: _Optional[int] = ...) -> None: ...

class FrontPoint(_message.Message):
    __slots__ = ("architecture", "predicted_accuracy", "accuracy_low", "accuracy_high", "latency_ms", "parameters", "macs", "model_bytes", "activation_bytes", "unstable_devices", "extrapolated", "medians_ms")
    class LatencyMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MediansMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MedianLatencies
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MedianLatencies, _Mapping]] = ...) -> None: ...
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_LOW_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_HIGH_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MACS_FIELD_NUMBER: _ClassVar[int]
    MODEL_BYTES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_BYTES_FIELD_NUMBER: _ClassVar[int]
    UNSTABLE_DEVICES_FIELD_NUMBER: _ClassVar[int]
    EXTRAPOLATED_FIELD_NUMBER: _ClassVar[int]
    MEDIANS_MS_FIELD_NUMBER: _ClassVar[int]
    architecture: _common_pb2.Architecture
    predicted_accuracy: float
    accuracy_low: float
    accuracy_high: float
    latency_ms: _containers.ScalarMap[str, float]
    parameters: int
    macs: int
    model_bytes: int
    activation_bytes: int
    unstable_devices: _containers.RepeatedScalarFieldContainer[str]
    extrapolated: bool
    medians_ms: _containers.MessageMap[str, MedianLatencies]
    def __init__(self, architecture: _Optional[_Union[_common_pb2.Architecture, _Mapping]] = ..., predicted_accuracy: _Optional[float] = ..., accuracy_low: _Optional[float] = ..., accuracy_high: _Optional[float] = ..., latency_ms: _Optional[_Mapping[str, float]] = ..., parameters: _Optional[int] = ..., macs: _Optional[int] = ..., model_bytes: _Optional[int] = ..., activation_bytes: _Optional[int] = ..., unstable_devices: _Optional[_Iterable[str]] = ..., extrapolated: bool = ..., medians_ms: _Optional[_Mapping[str, MedianLatencies]] = ...) -> None: ...

class MedianLatencies(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class FeasibilityTable(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[FeasibilityRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[FeasibilityRow, _Mapping]]] = ...) -> None: ...

class FeasibilityRow(_message.Message):
    __slots__ = ("metric", "device", "smallest", "median", "largest", "bound", "feasible", "estimated")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SMALLEST_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    LARGEST_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    metric: _common_pb2.Metric
    device: str
    smallest: float
    median: float
    largest: float
    bound: Bound
    feasible: bool
    estimated: bool
    def __init__(self, metric: _Optional[_Union[_common_pb2.Metric, str]] = ..., device: _Optional[str] = ..., smallest: _Optional[float] = ..., median: _Optional[float] = ..., largest: _Optional[float] = ..., bound: _Optional[_Union[Bound, _Mapping]] = ..., feasible: bool = ..., estimated: bool = ...) -> None: ...

class LatencyTableError(_message.Message):
    __slots__ = ("num_calibration", "num_holdout", "sum_relative_error", "calibrated_relative_error", "kendall_tau")
    NUM_CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    NUM_HOLDOUT_FIELD_NUMBER: _ClassVar[int]
    SUM_RELATIVE_ERROR_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_RELATIVE_ERROR_FIELD_NUMBER: _ClassVar[int]
    KENDALL_TAU_FIELD_NUMBER: _ClassVar[int]
    num_calibration: int
    num_holdout: int
    sum_relative_error: float
    calibrated_relative_error: float
    kendall_tau: float
    def __init__(self, num_calibration: _Optional[int] = ..., num_holdout: _Optional[int] = ..., sum_relative_error: _Optional[float] = ..., calibrated_relative_error: _Optional[float] = ..., kendall_tau: _Optional[float] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("index", "generation", "architecture", "predicted_accuracy", "latency_ms", "feasible", "failures")
    class LatencyMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class FailuresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INDEX_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    index: int
    generation: int
    architecture: _common_pb2.Architecture
    predicted_accuracy: float
    latency_ms: _containers.ScalarMap[str, float]
    feasible: bool
    failures: _containers.ScalarMap[str, str]
    def __init__(self, index: _Optional[int] = ..., generation: _Optional[int] = ..., architecture: _Optional[_Union[_common_pb2.Architecture, _Mapping]] = ..., predicted_accuracy: _Optional[float] = ..., latency_ms: _Optional[_Mapping[str, float]] = ..., feasible: bool = ..., failures: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SearchDevice(_message.Message):
    __slots__ = ("name", "kind", "reachable", "description", "queue_length", "backend", "canary_drift", "canary_ms", "canary_time", "profiler", "device")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    CANARY_DRIFT_FIELD_NUMBER: _ClassVar[int]
    CANARY_MS_FIELD_NUMBER: _ClassVar[int]
    CANARY_TIME_FIELD_NUMBER: _ClassVar[int]
    PROFILER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    reachable: bool
    description: str
    queue_length: int
    backend: str
    canary_drift: float
    canary_ms: float
    canary_time: _timestamp_pb2.Timestamp
    profiler: str
    device: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., reachable: bool = ..., description: _Optional[str] = ..., queue_length: _Optional[int] = ..., backend: _Optional[str] = ..., canary_drift: _Optional[float] = ..., canary_ms: _Optional[float] = ..., canary_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., profiler: _Optional[str] = ..., device: _Optional[str] = ...) -> None: ...

class CreateSearchRequest(_message.Message):
    __slots__ = ("spec", "request_id", "validate_only")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    spec: SearchSpec
    request_id: str
    validate_only: bool
    def __init__(self, spec: _Optional[_Union[SearchSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreateSearchResponse(_message.Message):
    __slots__ = ("search",)
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    search: Search
    def __init__(self, search: _Optional[_Union[Search, _Mapping]] = ...) -> None: ...

class GetSearchRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSearchResponse(_message.Message):
    __slots__ = ("search",)
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    search: Search
    def __init__(self, search: _Optional[_Union[Search, _Mapping]] = ...) -> None: ...

class ListSearchesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSearchesResponse(_message.Message):
    __slots__ = ("searches", "next_page_token")
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    searches: _containers.RepeatedCompositeFieldContainer[Search]
    next_page_token: str
    def __init__(self, searches: _Optional[_Iterable[_Union[Search, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSearchRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteSearchResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelSearchRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelSearchResponse(_message.Message):
    __slots__ = ("search",)
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    search: Search
    def __init__(self, search: _Optional[_Union[Search, _Mapping]] = ...) -> None: ...

class WatchSearchRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchSearchResponse(_message.Message):
    __slots__ = ("search",)
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    search: Search
    def __init__(self, search: _Optional[_Union[Search, _Mapping]] = ...) -> None: ...

class ListEvaluationsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEvaluationsResponse(_message.Message):
    __slots__ = ("evaluations", "next_page_token")
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[Evaluation]
    next_page_token: str
    def __init__(self, evaluations: _Optional[_Iterable[_Union[Evaluation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSearchDevicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSearchDevicesResponse(_message.Message):
    __slots__ = ("search_devices",)
    SEARCH_DEVICES_FIELD_NUMBER: _ClassVar[int]
    search_devices: _containers.RepeatedCompositeFieldContainer[SearchDevice]
    def __init__(self, search_devices: _Optional[_Iterable[_Union[SearchDevice, _Mapping]]] = ...) -> None: ...
