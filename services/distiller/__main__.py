"""The distiller: `python -m services.distiller`."""

from __future__ import annotations

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.jobs.engine import Engine
from donna.placement import worker_placement
from donna.rpc.server import Endpoint
from donna.service import Parts, main
from donna.v1 import distiller_pb2, distiller_pb2_grpc
from services.distiller.servicer import DistillerServicer
from services.distiller.settings import DistillerSettings
from services.distiller.work import DistillWork


def build(settings: DistillerSettings, store: JobStore, artifacts: ArtifactStore) -> Parts:
    """Puts the service together."""
    work = DistillWork.of(settings, store, artifacts)
    workers = worker_placement(settings, store, work.kind, "distiller", limit=settings.workers)
    engine = Engine(store, work, workers)
    endpoint = Endpoint(
        add=distiller_pb2_grpc.add_DistillerServiceServicer_to_server,
        servicer=DistillerServicer(engine, work.admission, artifacts, workers=settings.num_workers()),
        name=distiller_pb2.DESCRIPTOR.services_by_name["DistillerService"].full_name,
    )
    return Parts(endpoints=[endpoint], engines=[engine])


if __name__ == "__main__":
    main("distiller", DistillerSettings, build)
