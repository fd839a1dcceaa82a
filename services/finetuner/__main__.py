"""The finetuner: `python -m services.finetuner`."""

from __future__ import annotations

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.jobs.engine import Engine
from donna.placement import worker_placement
from donna.remembered import Remembered
from donna.rpc.server import Endpoint
from donna.service import Parts, main
from donna.v1 import finetuner_pb2, finetuner_pb2_grpc
from services.finetuner.probe import epoch_s
from services.finetuner.servicer import FinetunerServicer
from services.finetuner.settings import FinetunerSettings
from services.finetuner.work import FinetuneWork, files, processes


def build(settings: FinetunerSettings, store: JobStore, artifacts: ArtifactStore) -> Parts:
    """Puts the service together."""
    probe = epoch_s if settings.placement == "local" else None
    recall = Remembered(store, artifacts, files).recall
    work = FinetuneWork(artifacts, settings.data_root, probe=probe, recall=recall)
    workers = worker_placement(
        settings, store, work.kind, "finetuner", limit=settings.num_workers(), processes=processes
    )
    engine = Engine(store, work, workers)
    endpoint = Endpoint(
        add=finetuner_pb2_grpc.add_FinetunerServiceServicer_to_server,
        servicer=FinetunerServicer(engine, work.admission, workers=settings.parallelism()),
        name=finetuner_pb2.DESCRIPTOR.services_by_name["FinetunerService"].full_name,
    )
    return Parts(endpoints=[endpoint], engines=[engine])


if __name__ == "__main__":
    main("finetuner", FinetunerSettings, build)
