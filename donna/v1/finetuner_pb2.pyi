from donna.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvaluationPart(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_PART_UNSPECIFIED: _ClassVar[EvaluationPart]
    EVALUATION_PART_VALIDATION: _ClassVar[EvaluationPart]
    EVALUATION_PART_TEST: _ClassVar[EvaluationPart]

class Initialization(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INITIALIZATION_UNSPECIFIED: _ClassVar[Initialization]
    INITIALIZATION_PRETRAINED: _ClassVar[Initialization]
    INITIALIZATION_RANDOM: _ClassVar[Initialization]
EVALUATION_PART_UNSPECIFIED: EvaluationPart
EVALUATION_PART_VALIDATION: EvaluationPart
EVALUATION_PART_TEST: EvaluationPart
INITIALIZATION_UNSPECIFIED: Initialization
INITIALIZATION_PRETRAINED: Initialization
INITIALIZATION_RANDOM: Initialization

class FinetuneSpec(_message.Message):
    __slots__ = ("library", "reference", "dataset", "networks", "recipe", "evaluate_on", "export")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_ON_FIELD_NUMBER: _ClassVar[int]
    EXPORT_FIELD_NUMBER: _ClassVar[int]
    library: _common_pb2.Artifact
    reference: _common_pb2.Reference
    dataset: _common_pb2.Dataset
    networks: _containers.RepeatedCompositeFieldContainer[Network]
    recipe: FinetuneRecipe
    evaluate_on: EvaluationPart
    export: ExportSpec
    def __init__(self, library: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., reference: _Optional[_Union[_common_pb2.Reference, _Mapping]] = ..., dataset: _Optional[_Union[_common_pb2.Dataset, _Mapping]] = ..., networks: _Optional[_Iterable[_Union[Network, _Mapping]]] = ..., recipe: _Optional[_Union[FinetuneRecipe, _Mapping]] = ..., evaluate_on: _Optional[_Union[EvaluationPart, str]] = ..., export: _Optional[_Union[ExportSpec, _Mapping]] = ...) -> None: ...

class Network(_message.Message):
    __slots__ = ("architecture", "reference", "weights")
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    architecture: _common_pb2.Architecture
    reference: bool
    weights: _common_pb2.Artifact
    def __init__(self, architecture: _Optional[_Union[_common_pb2.Architecture, _Mapping]] = ..., reference: bool = ..., weights: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ...) -> None: ...

class FinetuneRecipe(_message.Message):
    __slots__ = ("epochs", "batch_size", "learning_rate", "weight_decay", "warmup_fraction", "soft_weight", "temperature", "label_smoothing", "ema_decay", "optimizer", "seed", "initialization", "processes")
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    WARMUP_FRACTION_FIELD_NUMBER: _ClassVar[int]
    SOFT_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SMOOTHING_FIELD_NUMBER: _ClassVar[int]
    EMA_DECAY_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    INITIALIZATION_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    epochs: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    soft_weight: float
    temperature: float
    label_smoothing: float
    ema_decay: float
    optimizer: str
    seed: int
    initialization: Initialization
    processes: int
    def __init__(self, epochs: _Optional[float] = ..., batch_size: _Optional[int] = ..., learning_rate: _Optional[float] = ..., weight_decay: _Optional[float] = ..., warmup_fraction: _Optional[float] = ..., soft_weight: _Optional[float] = ..., temperature: _Optional[float] = ..., label_smoothing: _Optional[float] = ..., ema_decay: _Optional[float] = ..., optimizer: _Optional[str] = ..., seed: _Optional[int] = ..., initialization: _Optional[_Union[Initialization, str]] = ..., processes: _Optional[int] = ...) -> None: ...

class ExportSpec(_message.Message):
    __slots__ = ("opset", "include_normalization", "batch_size", "int8")
    OPSET_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    INT8_FIELD_NUMBER: _ClassVar[int]
    opset: int
    include_normalization: bool
    batch_size: int
    int8: bool
    def __init__(self, opset: _Optional[int] = ..., include_normalization: bool = ..., batch_size: _Optional[int] = ..., int8: bool = ...) -> None: ...

class FinetunedNetwork(_message.Message):
    __slots__ = ("network", "accuracy", "loss", "num_samples", "parameters", "macs", "weights", "model", "int8_model", "reused", "train_s", "error", "int8_error")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    NUM_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MACS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INT8_MODEL_FIELD_NUMBER: _ClassVar[int]
    REUSED_FIELD_NUMBER: _ClassVar[int]
    TRAIN_S_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    INT8_ERROR_FIELD_NUMBER: _ClassVar[int]
    network: Network
    accuracy: float
    loss: float
    num_samples: int
    parameters: int
    macs: int
    weights: _common_pb2.Artifact
    model: ExportedModel
    int8_model: ExportedModel
    reused: bool
    train_s: float
    error: _common_pb2.Error
    int8_error: _common_pb2.Error
    def __init__(self, network: _Optional[_Union[Network, _Mapping]] = ..., accuracy: _Optional[float] = ..., loss: _Optional[float] = ..., num_samples: _Optional[int] = ..., parameters: _Optional[int] = ..., macs: _Optional[int] = ..., weights: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., model: _Optional[_Union[ExportedModel, _Mapping]] = ..., int8_model: _Optional[_Union[ExportedModel, _Mapping]] = ..., reused: bool = ..., train_s: _Optional[float] = ..., error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ..., int8_error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ...) -> None: ...

class ExportedModel(_message.Message):
    __slots__ = ("onnx", "top1_agreement", "max_abs_diff", "num_samples", "opset", "accuracy")
    ONNX_FIELD_NUMBER: _ClassVar[int]
    TOP1_AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    MAX_ABS_DIFF_FIELD_NUMBER: _ClassVar[int]
    NUM_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    OPSET_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    onnx: _common_pb2.Artifact
    top1_agreement: float
    max_abs_diff: float
    num_samples: int
    opset: int
    accuracy: float
    def __init__(self, onnx: _Optional[_Union[_common_pb2.Artifact, _Mapping]] = ..., top1_agreement: _Optional[float] = ..., max_abs_diff: _Optional[float] = ..., num_samples: _Optional[int] = ..., opset: _Optional[int] = ..., accuracy: _Optional[float] = ...) -> None: ...

class FinetuneJob(_message.Message):
    __slots__ = ("name", "spec", "job", "networks", "plan")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: FinetuneSpec
    job: _common_pb2.Job
    networks: _containers.RepeatedCompositeFieldContainer[FinetunedNetwork]
    plan: FinetunePlan
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[FinetuneSpec, _Mapping]] = ..., job: _Optional[_Union[_common_pb2.Job, _Mapping]] = ..., networks: _Optional[_Iterable[_Union[FinetunedNetwork, _Mapping]]] = ..., plan: _Optional[_Union[FinetunePlan, _Mapping]] = ...) -> None: ...

class FinetunePlan(_message.Message):
    __slots__ = ("networks_to_train", "networks_to_reuse", "network_epochs", "estimated_s", "estimated_from", "workers")
    NETWORKS_TO_TRAIN_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_TO_REUSE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_S_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FROM_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    networks_to_train: int
    networks_to_reuse: int
    network_epochs: float
    estimated_s: float
    estimated_from: str
    workers: int
    def __init__(self, networks_to_train: _Optional[int] = ..., networks_to_reuse: _Optional[int] = ..., network_epochs: _Optional[float] = ..., estimated_s: _Optional[float] = ..., estimated_from: _Optional[str] = ..., workers: _Optional[int] = ...) -> None: ...

class CreateFinetuneJobRequest(_message.Message):
    __slots__ = ("spec", "request_id", "validate_only")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    spec: FinetuneSpec
    request_id: str
    validate_only: bool
    def __init__(self, spec: _Optional[_Union[FinetuneSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreateFinetuneJobResponse(_message.Message):
    __slots__ = ("finetune_job",)
    FINETUNE_JOB_FIELD_NUMBER: _ClassVar[int]
    finetune_job: FinetuneJob
    def __init__(self, finetune_job: _Optional[_Union[FinetuneJob, _Mapping]] = ...) -> None: ...

class GetFinetuneJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetFinetuneJobResponse(_message.Message):
    __slots__ = ("finetune_job",)
    FINETUNE_JOB_FIELD_NUMBER: _ClassVar[int]
    finetune_job: FinetuneJob
    def __init__(self, finetune_job: _Optional[_Union[FinetuneJob, _Mapping]] = ...) -> None: ...

class ListFinetuneJobsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFinetuneJobsResponse(_message.Message):
    __slots__ = ("finetune_jobs", "next_page_token")
    FINETUNE_JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    finetune_jobs: _containers.RepeatedCompositeFieldContainer[FinetuneJob]
    next_page_token: str
    def __init__(self, finetune_jobs: _Optional[_Iterable[_Union[FinetuneJob, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteFinetuneJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteFinetuneJobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelFinetuneJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelFinetuneJobResponse(_message.Message):
    __slots__ = ("finetune_job",)
    FINETUNE_JOB_FIELD_NUMBER: _ClassVar[int]
    finetune_job: FinetuneJob
    def __init__(self, finetune_job: _Optional[_Union[FinetuneJob, _Mapping]] = ...) -> None: ...

class WatchFinetuneJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchFinetuneJobResponse(_message.Message):
    __slots__ = ("finetune_job",)
    FINETUNE_JOB_FIELD_NUMBER: _ClassVar[int]
    finetune_job: FinetuneJob
    def __init__(self, finetune_job: _Optional[_Union[FinetuneJob, _Mapping]] = ...) -> None: ...
