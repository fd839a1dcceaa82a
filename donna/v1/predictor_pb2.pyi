from donna.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Target(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TARGET_UNSPECIFIED: _ClassVar[Target]
    TARGET_ACCURACY: _ClassVar[Target]
    TARGET_NEGATIVE_LOG_ERROR: _ClassVar[Target]

class SamplingDesign(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLING_DESIGN_UNSPECIFIED: _ClassVar[SamplingDesign]
    SAMPLING_DESIGN_UNIFORM: _ClassVar[SamplingDesign]
    SAMPLING_DESIGN_D_OPTIMAL: _ClassVar[SamplingDesign]
TARGET_UNSPECIFIED: Target
TARGET_ACCURACY: Target
TARGET_NEGATIVE_LOG_ERROR: Target
SAMPLING_DESIGN_UNSPECIFIED: SamplingDesign
SAMPLING_DESIGN_UNIFORM: SamplingDesign
SAMPLING_DESIGN_D_OPTIMAL: SamplingDesign

class PredictorSpec(_message.Message):
    __slots__ = ("library", "samples", "order", "target", "ridge_strengths", "qualities", "seed", "interval_coverage")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    RIDGE_STRENGTHS_FIELD_NUMBER: _ClassVar[int]
    QUALITIES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    library: _common_pb2.Artifact
    samples: _containers.RepeatedCompositeFieldContainer[AccuracySample]
    order: int
    target: Target
    ridge_strengths: _containers.RepeatedScalarFieldContainer[float]
    qualities: _containers.RepeatedScalarFieldContainer[str]
    seed: int
    interval_coverage: float
    def __init__(self, library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., samples: _Optional[_Iterable[_Union[AccuracySample, _Mapping]]] = ..., order: _Optional[int] = ..., target: _Optional[_Union[Target, str]] = ..., ridge_strengths: _Optional[_Iterable[float]] = ..., qualities: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ..., interval_coverage: _Optional[float] = ...) -> None: ...

class AccuracySample(_message.Message):
    __slots__ = ("architecture", "accuracy")
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    architecture: _common_pb2.Architecture
    accuracy: float
    def __init__(self, architecture: _Optional[_Union[_common_pb2.Architecture, _Mapping]] = ..., accuracy: _Optional[float] = ...) -> None: ...

class Predictor(_message.Message):
    __slots__ = ("name", "spec", "job", "order", "target", "ridge_strength", "qualities", "leave_one_out", "learning_curve", "samples", "model", "library_lineage")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    RIDGE_STRENGTH_FIELD_NUMBER: _ClassVar[int]
    QUALITIES_FIELD_NUMBER: _ClassVar[int]
    LEAVE_ONE_OUT_FIELD_NUMBER: _ClassVar[int]
    LEARNING_CURVE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_LINEAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: PredictorSpec
    job: _common_pb2.Job
    order: int
    target: Target
    ridge_strength: float
    qualities: _containers.RepeatedScalarFieldContainer[str]
    leave_one_out: PredictionAgreement
    learning_curve: _containers.RepeatedCompositeFieldContainer[LearningCurvePoint]
    samples: _containers.RepeatedCompositeFieldContainer[PredictedSample]
    model: _common_pb2.Artifact
    library_lineage: str
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[PredictorSpec, _Mapping]] = ..., job: _Optional[_Union[_common_pb2.Job, _Mapping]] = ..., order: _Optional[int] = ..., target: _Optional[_Union[Target, str]] = ..., ridge_strength: _Optional[float] = ..., qualities: _Optional[_Iterable[str]] = ..., leave_one_out: _Optional[_Union[PredictionAgreement, _Mapping]] = ..., learning_curve: _Optional[_Iterable[_Union[LearningCurvePoint, _Mapping]]] = ..., samples: _Optional[_Iterable[_Union[PredictedSample, _Mapping]]] = ..., model: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., library_lineage: _Optional[str] = ...) -> None: ...

class PredictionAgreement(_message.Message):
    __slots__ = ("num_samples", "kendall_tau", "spearman", "r2", "mse", "interval_coverage")
    NUM_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    KENDALL_TAU_FIELD_NUMBER: _ClassVar[int]
    SPEARMAN_FIELD_NUMBER: _ClassVar[int]
    R2_FIELD_NUMBER: _ClassVar[int]
    MSE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    num_samples: int
    kendall_tau: Estimate
    spearman: Estimate
    r2: Estimate
    mse: Estimate
    interval_coverage: float
    def __init__(self, num_samples: _Optional[int] = ..., kendall_tau: _Optional[_Union[Estimate, _Mapping]] = ..., spearman: _Optional[_Union[Estimate, _Mapping]] = ..., r2: _Optional[_Union[Estimate, _Mapping]] = ..., mse: _Optional[_Union[Estimate, _Mapping]] = ..., interval_coverage: _Optional[float] = ...) -> None: ...

class Estimate(_message.Message):
    __slots__ = ("value", "low", "high")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    value: float
    low: float
    high: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class LearningCurvePoint(_message.Message):
    __slots__ = ("num_samples", "kendall_tau_mean", "kendall_tau_std")
    NUM_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    KENDALL_TAU_MEAN_FIELD_NUMBER: _ClassVar[int]
    KENDALL_TAU_STD_FIELD_NUMBER: _ClassVar[int]
    num_samples: int
    kendall_tau_mean: float
    kendall_tau_std: float
    def __init__(self, num_samples: _Optional[int] = ..., kendall_tau_mean: _Optional[float] = ..., kendall_tau_std: _Optional[float] = ...) -> None: ...

class PredictedSample(_message.Message):
    __slots__ = ("architecture", "accuracy", "predicted_accuracy", "low", "high")
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    architecture: _common_pb2.Architecture
    accuracy: float
    predicted_accuracy: float
    low: float
    high: float
    def __init__(self, architecture: _Optional[_Union[_common_pb2.Architecture, _Mapping]] = ..., accuracy: _Optional[float] = ..., predicted_accuracy: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class CreatePredictorRequest(_message.Message):
    __slots__ = ("spec", "request_id", "validate_only")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    spec: PredictorSpec
    request_id: str
    validate_only: bool
    def __init__(self, spec: _Optional[_Union[PredictorSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreatePredictorResponse(_message.Message):
    __slots__ = ("predictor",)
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    predictor: Predictor
    def __init__(self, predictor: _Optional[_Union[Predictor, _Mapping]] = ...) -> None: ...

class GetPredictorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetPredictorResponse(_message.Message):
    __slots__ = ("predictor",)
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    predictor: Predictor
    def __init__(self, predictor: _Optional[_Union[Predictor, _Mapping]] = ...) -> None: ...

class ListPredictorsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPredictorsResponse(_message.Message):
    __slots__ = ("predictors", "next_page_token")
    PREDICTORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    predictors: _containers.RepeatedCompositeFieldContainer[Predictor]
    next_page_token: str
    def __init__(self, predictors: _Optional[_Iterable[_Union[Predictor, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeletePredictorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeletePredictorResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelPredictorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelPredictorResponse(_message.Message):
    __slots__ = ("predictor",)
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    predictor: Predictor
    def __init__(self, predictor: _Optional[_Union[Predictor, _Mapping]] = ...) -> None: ...

class WatchPredictorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchPredictorResponse(_message.Message):
    __slots__ = ("predictor",)
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    predictor: Predictor
    def __init__(self, predictor: _Optional[_Union[Predictor, _Mapping]] = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("predictor", "architectures", "library", "include_intervals")
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURES_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INTERVALS_FIELD_NUMBER: _ClassVar[int]
    predictor: str
    architectures: _common_pb2.ArchitectureMatrix
    library: _common_pb2.Artifact
    include_intervals: bool
    def __init__(self, predictor: _Optional[str] = ..., architectures: _Optional[_Union[_common_pb2.ArchitectureMatrix, _Mapping]] = ..., library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., include_intervals: bool = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("accuracies", "lows", "highs", "extrapolated")
    ACCURACIES_FIELD_NUMBER: _ClassVar[int]
    LOWS_FIELD_NUMBER: _ClassVar[int]
    HIGHS_FIELD_NUMBER: _ClassVar[int]
    EXTRAPOLATED_FIELD_NUMBER: _ClassVar[int]
    accuracies: bytes
    lows: bytes
    highs: bytes
    extrapolated: bytes
    def __init__(self, accuracies: _Optional[bytes] = ..., lows: _Optional[bytes] = ..., highs: _Optional[bytes] = ..., extrapolated: _Optional[bytes] = ...) -> None: ...

class GetPredictorTablesRequest(_message.Message):
    __slots__ = ("predictor", "library")
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    predictor: str
    library: _common_pb2.Artifact
    def __init__(self, predictor: _Optional[str] = ..., library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ...) -> None: ...

class GetPredictorTablesResponse(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: PredictorTables
    def __init__(self, tables: _Optional[_Union[PredictorTables, _Mapping]] = ...) -> None: ...

class PredictorTables(_message.Message):
    __slots__ = ("constant", "blocks", "cross", "target", "half_width")
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    CROSS_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HALF_WIDTH_FIELD_NUMBER: _ClassVar[int]
    constant: float
    blocks: _containers.RepeatedCompositeFieldContainer[PredictorBlockTables]
    cross: bytes
    target: Target
    half_width: float
    def __init__(self, constant: _Optional[float] = ..., blocks: _Optional[_Iterable[_Union[PredictorBlockTables, _Mapping]]] = ..., cross: _Optional[bytes] = ..., target: _Optional[_Union[Target, str]] = ..., half_width: _Optional[float] = ...) -> None: ...

class PredictorBlockTables(_message.Message):
    __slots__ = ("unary", "inputs", "extrapolated")
    UNARY_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    EXTRAPOLATED_FIELD_NUMBER: _ClassVar[int]
    unary: bytes
    inputs: bytes
    extrapolated: bytes
    def __init__(self, unary: _Optional[bytes] = ..., inputs: _Optional[bytes] = ..., extrapolated: _Optional[bytes] = ...) -> None: ...

class EvaluatePredictorRequest(_message.Message):
    __slots__ = ("predictor", "samples", "library")
    PREDICTOR_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    predictor: str
    samples: _containers.RepeatedCompositeFieldContainer[AccuracySample]
    library: _common_pb2.Artifact
    def __init__(self, predictor: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[AccuracySample, _Mapping]]] = ..., library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ...) -> None: ...

class EvaluatePredictorResponse(_message.Message):
    __slots__ = ("agreement", "samples")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    agreement: PredictionAgreement
    samples: _containers.RepeatedCompositeFieldContainer[PredictedSample]
    def __init__(self, agreement: _Optional[_Union[PredictionAgreement, _Mapping]] = ..., samples: _Optional[_Iterable[_Union[PredictedSample, _Mapping]]] = ...) -> None: ...

class SampleArchitecturesRequest(_message.Message):
    __slots__ = ("library", "num_architectures", "design", "seed", "exclude", "candidates")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    NUM_ARCHITECTURES_FIELD_NUMBER: _ClassVar[int]
    DESIGN_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    library: _common_pb2.Artifact
    num_architectures: int
    design: SamplingDesign
    seed: int
    exclude: _containers.RepeatedCompositeFieldContainer[_common_pb2.Architecture]
    candidates: _containers.RepeatedCompositeFieldContainer[_common_pb2.Architecture]
    def __init__(self, library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., num_architectures: _Optional[int] = ..., design: _Optional[_Union[SamplingDesign, str]] = ..., seed: _Optional[int] = ..., exclude: _Optional[_Iterable[_Union[_common_pb2.Architecture, _Mapping]]] = ..., candidates: _Optional[_Iterable[_Union[_common_pb2.Architecture, _Mapping]]] = ...) -> None: ...

class SampleArchitecturesResponse(_message.Message):
    __slots__ = ("architectures",)
    ARCHITECTURES_FIELD_NUMBER: _ClassVar[int]
    architectures: _containers.RepeatedCompositeFieldContainer[_common_pb2.Architecture]
    def __init__(self, architectures: _Optional[_Iterable[_Union[_common_pb2.Architecture, _Mapping]]] = ...) -> None: ...
