"""The predictor on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs import Job, JobState
from donna.jobs.engine import Engine
from donna.rpc.limits import MAX_MESSAGE_BYTES
from donna.rpc.messages import (
    architecture_message,
    artifact_message,
    check_name,
    check_request_id,
    read_architecture,
    read_artifact,
    unpack_architectures,
)
from donna.rpc.paging import page_of_jobs
from donna.rpc.watch import Watcher
from donna.space import Library
from donna.space.accuracy_tables import AccuracyTables
from donna.v1 import common_pb2, predictor_pb2_grpc
from donna.v1 import predictor_pb2 as pb
from services.predictor.conformal import coverage
from services.predictor.design import MAX_DESIGN, d_optimal, most_informative, uniform
from services.predictor.messages import (
    agreement_message,
    job_spec,
    predicted_samples,
    predictor_message,
    read_samples,
    tables_message,
)
from services.predictor.metrics import evaluate
from services.predictor.shelf import Shelf

KIND = "predictors"
KEPT_JOBS = 16
MAX_UNIFORM = MAX_CANDIDATES = 10_000
_BYTES_ACCURACY, _BYTES_INTERVALS = 4, 13
_ROOM = 1024


class PredictorServicer(predictor_pb2_grpc.PredictorServiceServicer):
    """Predictors as resources, and prediction in bulk."""

    def __init__(self, engine: Engine, shelf: Shelf) -> None:
        self._engine = engine
        self._shelf = shelf
        self._watcher = Watcher(engine.store, self._watched)
        # A record of thousands of samples takes as long to read as as many predictions.
        self._at_revision = lru_cache(KEPT_JOBS)(lambda name, revision: engine.store.get(name))

    def CreatePredictor(self, request: pb.CreatePredictorRequest, context: Any) -> pb.CreatePredictorResponse:
        check_request_id(request.request_id)
        library = self._shelf.library(read_artifact(request.spec.library, "spec.library"))
        spec = job_spec(request.spec, library)
        if request.validate_only:
            return pb.CreatePredictorResponse(predictor=pb.Predictor(spec=request.spec))
        return pb.CreatePredictorResponse(
            predictor=self._message(self._engine.create(spec, request_id=request.request_id))
        )

    def GetPredictor(self, request: pb.GetPredictorRequest, context: Any) -> pb.GetPredictorResponse:
        return pb.GetPredictorResponse(predictor=self._message(self._job(request.name)))

    def ListPredictors(self, request: pb.ListPredictorsRequest, context: Any) -> pb.ListPredictorsResponse:
        def respond(jobs: Iterable[Job], token: str) -> pb.ListPredictorsResponse:
            return pb.ListPredictorsResponse(predictors=map(self._message, jobs), next_page_token=token)

        return page_of_jobs(self._engine.store, KIND, request, respond)

    def DeletePredictor(self, request: pb.DeletePredictorRequest, context: Any) -> pb.DeletePredictorResponse:
        self._engine.store.delete(check_name(request.name, KIND))
        return pb.DeletePredictorResponse()

    def CancelPredictor(self, request: pb.CancelPredictorRequest, context: Any) -> pb.CancelPredictorResponse:
        job = self._engine.store.cancel(check_name(request.name, KIND))
        return pb.CancelPredictorResponse(predictor=self._message(job))

    def WatchPredictor(
        self, request: pb.WatchPredictorRequest, context: Any
    ) -> AsyncIterator[pb.WatchPredictorResponse]:
        return self._watcher.watch(check_name(request.name, KIND))

    def Predict(self, request: pb.PredictRequest, context: Any) -> pb.PredictResponse:
        count = request.architectures.num_architectures
        each = _BYTES_INTERVALS if request.include_intervals else _BYTES_ACCURACY
        most = (MAX_MESSAGE_BYTES - _ROOM) // each
        if count > most:
            raise InvalidArgument.of(
                "architectures.num_architectures", f"must be at most {most} in one call, got {count}"
            )
        model, library = self._model(self._known(request.predictor), request)
        choices_AN = check_choices(unpack_architectures(request.architectures), library)
        if not request.include_intervals:
            return pb.PredictResponse(accuracies=_pack(model.accuracies(choices_AN)))
        predicted = model.predict(choices_AN)
        return pb.PredictResponse(
            accuracies=_pack(predicted.accuracy),
            lows=_pack(predicted.low),
            highs=_pack(predicted.high),
            extrapolated=predicted.extrapolated.tobytes(),
        )

    def GetPredictorTables(
        self, request: pb.GetPredictorTablesRequest, context: Any
    ) -> pb.GetPredictorTablesResponse:
        tables, _ = self._model(self._known(request.predictor), request)
        return pb.GetPredictorTablesResponse(tables=tables_message(tables))

    def EvaluatePredictor(
        self, request: pb.EvaluatePredictorRequest, context: Any
    ) -> pb.EvaluatePredictorResponse:
        job = self._known(request.predictor)
        model, library = self._model(job, request)
        choices_SN, accuracy_S = read_samples(
            request.samples, library, "samples", at_least=2, known=map(tuple, job.spec["choices"])
        )
        predicted = model.predict(choices_SN)
        metrics = evaluate(accuracy_S, predicted.accuracy, seed=job.spec["options"]["seed"])
        return pb.EvaluatePredictorResponse(
            agreement=agreement_message(metrics, coverage(accuracy_S, predicted.low, predicted.high)),
            samples=predicted_samples(
                choices_SN, accuracy_S, predicted.accuracy, predicted.low, predicted.high
            ),
        )

    def SampleArchitectures(
        self, request: pb.SampleArchitecturesRequest, context: Any
    ) -> pb.SampleArchitecturesResponse:
        library = self._shelf.library(read_artifact(request.library, "library"))
        if request.design not in pb.SamplingDesign.values():
            raise InvalidArgument.of("design", f"is not a design of this version: {request.design}")
        if request.seed < 0:
            raise InvalidArgument.of("seed", f"must not be negative, got {request.seed}")
        exclude = _read_architectures(request.exclude, library, "exclude")
        candidates = _read_architectures(request.candidates, library, "candidates")
        k, at_random = request.num_architectures, request.design == pb.SAMPLING_DESIGN_UNIFORM
        most = MAX_UNIFORM if at_random else MAX_DESIGN
        if not 1 <= k <= most:
            raise InvalidArgument.of("num_architectures", f"must be in 1..{most}, got {k}")
        if len(candidates) and at_random:
            raise InvalidArgument.of("candidates", "are for the D-optimal design only")
        if len(candidates) > MAX_CANDIDATES:
            raise InvalidArgument.of("candidates", f"at most {MAX_CANDIDATES}, got {len(candidates)}")
        if len(candidates):
            chosen = most_informative(library, np.unique(candidates, axis=0), k, exclude)
        elif at_random:
            chosen = uniform(library.num_options, k, exclude, request.seed)
        else:
            chosen = d_optimal(library, k, exclude, request.seed)
        return pb.SampleArchitecturesResponse(architectures=[architecture_message(row) for row in chosen])

    def _job(self, name: str) -> Job:
        return self._engine.store.get(check_name(name, KIND))

    def _known(self, name: str) -> Job:
        """The predictor of a request, read again only when it has changed. Raises NotFound."""
        revision = self._engine.store.revisions([check_name(name, KIND, "predictor")]).get(name, 0)
        return self._at_revision(name, revision)

    def _watched(self, job: Job) -> pb.WatchPredictorResponse:
        return pb.WatchPredictorResponse(predictor=self._message(job))

    def _message(self, job: Job) -> pb.Predictor:
        return predictor_message(job, artifact_message(self._shelf.describe(job.spec["library"])))

    def _model(self, job: Job, request: Any) -> tuple[AccuracyTables, Library]:
        """The model of an ended job on the library of the request, or else on the one of the fit."""
        if job.state is not JobState.SUCCEEDED or job.result is None:
            raise FailedPrecondition(
                f"{job.name} is {job.state} and cannot predict", reason="PREDICTOR_NOT_READY"
            )
        sha256 = read_artifact(request.library, "library") if request.HasField("library") else ""
        sha256 = sha256 or job.spec["library"]
        return self._shelf.model(job.result["model"]["sha256"], sha256), self._shelf.library(sha256)


def _read_architectures(
    messages: Sequence[common_pb2.Architecture], library: Library, field: str
) -> np.ndarray:
    """(A, N) choices. Raises InvalidArgument naming the one that is wrong."""
    read = [
        read_architecture(message, library.num_options, f"{field}[{index}]").choices
        for index, message in enumerate(messages)
    ]
    return np.array(read, dtype=np.int64).reshape(-1, len(library.blocks))


def check_choices(choices_AN: np.ndarray, library: Library) -> np.ndarray:
    """The choices as they are, narrow and unsigned; raises InvalidArgument when one is not in the space.

    The library's own check says what is wrong; it is only asked when something is.
    """
    N = len(library.blocks)
    if choices_AN.shape[1] == N and (
        not len(choices_AN) or (choices_AN.max(axis=0) < np.array(library.num_options)).all()
    ):
        return choices_AN
    return library.check_choices(choices_AN)


def _pack(values_A: np.ndarray) -> bytes:
    return values_A.astype("<f4").tobytes()
