"""Puts the predictor together and serves it: `python -m services.predictor`."""

from __future__ import annotations

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.jobs.engine import Engine
from donna.jobs.placement import Threads
from donna.rpc.server import Endpoint
from donna.service import Parts, main
from donna.v1 import predictor_pb2
from donna.v1.predictor_pb2_grpc import add_PredictorServiceServicer_to_server
from services.predictor.servicer import PredictorServicer
from services.predictor.settings import PredictorSettings
from services.predictor.shelf import Shelf
from services.predictor.telemetry import ShelfMetrics
from services.predictor.work import FitWork


def build(settings: PredictorSettings, store: JobStore, artifacts: ArtifactStore) -> Parts:
    """One engine that fits in threads, one endpoint that predicts from memory."""
    shelf = Shelf(artifacts, limit=settings.cached_models)
    work = FitWork(artifacts, shelf)
    engine = Engine(store, work, Threads(store, work, limit=settings.fit_threads))
    endpoint = Endpoint(
        add=add_PredictorServiceServicer_to_server,
        servicer=PredictorServicer(engine, shelf),
        name=predictor_pb2.DESCRIPTOR.services_by_name["PredictorService"].full_name,
    )
    return Parts(endpoints=[endpoint], engines=[engine], collectors=[ShelfMetrics(shelf)])


if __name__ == "__main__":
    main("predictor", PredictorSettings, build)
