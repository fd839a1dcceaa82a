from donna.v1 import common_pb2 as _common_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Device(_message.Message):
    __slots__ = ("name", "kind", "backend", "description", "providers", "fingerprint", "fingerprint_sha256", "state", "available", "unavailable_reason", "queue_length", "canary_drift", "canary_ms", "canary_time")
    class FingerprintEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class StateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_SHA256_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CANARY_DRIFT_FIELD_NUMBER: _ClassVar[int]
    CANARY_MS_FIELD_NUMBER: _ClassVar[int]
    CANARY_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    backend: str
    description: str
    providers: _containers.RepeatedScalarFieldContainer[str]
    fingerprint: _containers.ScalarMap[str, str]
    fingerprint_sha256: str
    state: _containers.ScalarMap[str, str]
    available: bool
    unavailable_reason: str
    queue_length: int
    canary_drift: float
    canary_ms: float
    canary_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., backend: _Optional[str] = ..., description: _Optional[str] = ..., providers: _Optional[_Iterable[str]] = ..., fingerprint: _Optional[_Mapping[str, str]] = ..., fingerprint_sha256: _Optional[str] = ..., state: _Optional[_Mapping[str, str]] = ..., available: bool = ..., unavailable_reason: _Optional[str] = ..., queue_length: _Optional[int] = ..., canary_drift: _Optional[float] = ..., canary_ms: _Optional[float] = ..., canary_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MeasuredNetwork(_message.Message):
    __slots__ = ("model_sha256", "fragments")
    MODEL_SHA256_FIELD_NUMBER: _ClassVar[int]
    FRAGMENTS_FIELD_NUMBER: _ClassVar[int]
    model_sha256: str
    fragments: FragmentList
    def __init__(self, model_sha256: _Optional[str] = ..., fragments: _Optional[_Union[FragmentList, _Mapping]] = ...) -> None: ...

class FragmentList(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sha256: _Optional[_Iterable[str]] = ...) -> None: ...

class MeasurementResult(_message.Message):
    __slots__ = ("median_ms", "mean_ms", "std_ms", "min_ms", "p90_ms", "p95_ms", "p99_ms", "median_low_ms", "median_high_ms", "samples_ms", "unstable", "peak_memory_bytes", "network_memory_bytes", "load_ms", "nodes_by_provider", "layers", "device_state", "fingerprint_sha256", "method_version", "measure_time", "attempts", "mad_ms", "variation", "drift", "preempted_runs", "steady_ms", "canary_ms")
    class NodesByProviderEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class DeviceStateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MEDIAN_MS_FIELD_NUMBER: _ClassVar[int]
    MEAN_MS_FIELD_NUMBER: _ClassVar[int]
    STD_MS_FIELD_NUMBER: _ClassVar[int]
    MIN_MS_FIELD_NUMBER: _ClassVar[int]
    P90_MS_FIELD_NUMBER: _ClassVar[int]
    P95_MS_FIELD_NUMBER: _ClassVar[int]
    P99_MS_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_LOW_MS_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_HIGH_MS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_MS_FIELD_NUMBER: _ClassVar[int]
    UNSTABLE_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    NETWORK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOAD_MS_FIELD_NUMBER: _ClassVar[int]
    NODES_BY_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_STATE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_SHA256_FIELD_NUMBER: _ClassVar[int]
    METHOD_VERSION_FIELD_NUMBER: _ClassVar[int]
    MEASURE_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MAD_MS_FIELD_NUMBER: _ClassVar[int]
    VARIATION_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    PREEMPTED_RUNS_FIELD_NUMBER: _ClassVar[int]
    STEADY_MS_FIELD_NUMBER: _ClassVar[int]
    CANARY_MS_FIELD_NUMBER: _ClassVar[int]
    median_ms: float
    mean_ms: float
    std_ms: float
    min_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    median_low_ms: float
    median_high_ms: float
    samples_ms: _containers.RepeatedScalarFieldContainer[float]
    unstable: bool
    peak_memory_bytes: int
    network_memory_bytes: int
    load_ms: float
    nodes_by_provider: _containers.ScalarMap[str, int]
    layers: _containers.RepeatedCompositeFieldContainer[LayerLatency]
    device_state: _containers.ScalarMap[str, str]
    fingerprint_sha256: str
    method_version: str
    measure_time: _timestamp_pb2.Timestamp
    attempts: int
    mad_ms: float
    variation: float
    drift: float
    preempted_runs: int
    steady_ms: float
    canary_ms: float
    def __init__(self, median_ms: _Optional[float] = ..., mean_ms: _Optional[float] = ..., std_ms: _Optional[float] = ..., min_ms: _Optional[float] = ..., p90_ms: _Optional[float] = ..., p95_ms: _Optional[float] = ..., p99_ms: _Optional[float] = ..., median_low_ms: _Optional[float] = ..., median_high_ms: _Optional[float] = ..., samples_ms: _Optional[_Iterable[float]] = ..., unstable: bool = ..., peak_memory_bytes: _Optional[int] = ..., network_memory_bytes: _Optional[int] = ..., load_ms: _Optional[float] = ..., nodes_by_provider: _Optional[_Mapping[str, int]] = ..., layers: _Optional[_Iterable[_Union[LayerLatency, _Mapping]]] = ..., device_state: _Optional[_Mapping[str, str]] = ..., fingerprint_sha256: _Optional[str] = ..., method_version: _Optional[str] = ..., measure_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., mad_ms: _Optional[float] = ..., variation: _Optional[float] = ..., drift: _Optional[float] = ..., preempted_runs: _Optional[int] = ..., steady_ms: _Optional[float] = ..., canary_ms: _Optional[float] = ...) -> None: ...

class LayerLatency(_message.Message):
    __slots__ = ("name", "op_type", "provider", "median_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OP_TYPE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    op_type: str
    provider: str
    median_ms: float
    def __init__(self, name: _Optional[str] = ..., op_type: _Optional[str] = ..., provider: _Optional[str] = ..., median_ms: _Optional[float] = ...) -> None: ...

class Measurement(_message.Message):
    __slots__ = ("name", "device", "network", "settings", "job", "result", "cached")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    name: str
    device: str
    network: MeasuredNetwork
    settings: _common_pb2.MeasurementSettings
    job: _common_pb2.Job
    result: MeasurementResult
    cached: bool
    def __init__(self, name: _Optional[str] = ..., device: _Optional[str] = ..., network: _Optional[_Union[MeasuredNetwork, _Mapping]] = ..., settings: _Optional[_Union[_common_pb2.MeasurementSettings, _Mapping]] = ..., job: _Optional[_Union[_common_pb2.Job, _Mapping]] = ..., result: _Optional[_Union[MeasurementResult, _Mapping]] = ..., cached: bool = ...) -> None: ...

class ListDevicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDevicesResponse(_message.Message):
    __slots__ = ("devices", "next_page_token")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[Device]
    next_page_token: str
    def __init__(self, devices: _Optional[_Iterable[_Union[Device, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDeviceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetDeviceResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: Device
    def __init__(self, device: _Optional[_Union[Device, _Mapping]] = ...) -> None: ...

class FindMissingModelsRequest(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sha256: _Optional[_Iterable[str]] = ...) -> None: ...

class FindMissingModelsResponse(_message.Message):
    __slots__ = ("missing_sha256", "partial_bytes")
    class PartialBytesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    MISSING_SHA256_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    missing_sha256: _containers.RepeatedScalarFieldContainer[str]
    partial_bytes: _containers.ScalarMap[str, int]
    def __init__(self, missing_sha256: _Optional[_Iterable[str]] = ..., partial_bytes: _Optional[_Mapping[str, int]] = ...) -> None: ...

class UploadModelRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: _common_pb2.Chunk
    def __init__(self, chunk: _Optional[_Union[_common_pb2.Chunk, _Mapping]] = ...) -> None: ...

class UploadModelResponse(_message.Message):
    __slots__ = ("sha256", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class CreateMeasurementRequest(_message.Message):
    __slots__ = ("device", "network", "settings", "request_id", "skip_cache", "priority", "validate_only", "brief")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SKIP_CACHE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    device: str
    network: MeasuredNetwork
    settings: _common_pb2.MeasurementSettings
    request_id: str
    skip_cache: bool
    priority: int
    validate_only: bool
    brief: bool
    def __init__(self, device: _Optional[str] = ..., network: _Optional[_Union[MeasuredNetwork, _Mapping]] = ..., settings: _Optional[_Union[_common_pb2.MeasurementSettings, _Mapping]] = ..., request_id: _Optional[str] = ..., skip_cache: bool = ..., priority: _Optional[int] = ..., validate_only: bool = ..., brief: bool = ...) -> None: ...

class CreateMeasurementResponse(_message.Message):
    __slots__ = ("measurement",)
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    measurement: Measurement
    def __init__(self, measurement: _Optional[_Union[Measurement, _Mapping]] = ...) -> None: ...

class GetMeasurementRequest(_message.Message):
    __slots__ = ("name", "brief")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    name: str
    brief: bool
    def __init__(self, name: _Optional[str] = ..., brief: bool = ...) -> None: ...

class GetMeasurementResponse(_message.Message):
    __slots__ = ("measurement",)
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    measurement: Measurement
    def __init__(self, measurement: _Optional[_Union[Measurement, _Mapping]] = ...) -> None: ...

class ListMeasurementsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMeasurementsResponse(_message.Message):
    __slots__ = ("measurements", "next_page_token")
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    measurements: _containers.RepeatedCompositeFieldContainer[Measurement]
    next_page_token: str
    def __init__(self, measurements: _Optional[_Iterable[_Union[Measurement, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteMeasurementRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteMeasurementResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelMeasurementRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelMeasurementResponse(_message.Message):
    __slots__ = ("measurement",)
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    measurement: Measurement
    def __init__(self, measurement: _Optional[_Union[Measurement, _Mapping]] = ...) -> None: ...

class WatchMeasurementRequest(_message.Message):
    __slots__ = ("name", "brief")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    name: str
    brief: bool
    def __init__(self, name: _Optional[str] = ..., brief: bool = ...) -> None: ...

class WatchMeasurementResponse(_message.Message):
    __slots__ = ("measurement",)
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    measurement: Measurement
    def __init__(self, measurement: _Optional[_Union[Measurement, _Mapping]] = ...) -> None: ...
