"""Puts the searcher together and serves it: `python -m services.searcher`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from donna.artifacts import ArtifactStore
from donna.cluster_api import ClusterApi, own_namespace
from donna.jobs import JobStore
from donna.jobs.engine import Engine
from donna.jobs.placement import Threads
from donna.rpc.authentication import read_optional
from donna.rpc.channel import Peer
from donna.rpc.hub import DeviceHub, hub_endpoint
from donna.rpc.server import Endpoint
from donna.rpc.tls import channel_credentials
from donna.service import Parts, main
from donna.v1 import searcher_pb2
from donna.v1.searcher_pb2_grpc import add_SearcherServiceServicer_to_server
from services.searcher.discovery import Discovery
from services.searcher.gateway import gateway_endpoint
from services.searcher.libraries import Libraries
from services.searcher.live import LivePages
from services.searcher.predictors import Predictors
from services.searcher.profilers import Profilers
from services.searcher.servicer import SearcherServicer
from services.searcher.settings import SearcherSettings
from services.searcher.telemetry import HubMetrics
from services.searcher.weightless import Weightless
from services.searcher.work import SearchWork, Surroundings


def build(settings: SearcherSettings, store: JobStore, artifacts: ArtifactStore) -> Parts:
    """One engine that searches in threads; channels to the predictor and to every profiler."""
    credentials = channel_credentials(
        settings.peer_tls_ca, settings.peer_tls_certificate, settings.peer_tls_key, settings="peer_tls"
    )
    token = read_optional(settings.peer_token_file, "peer_token_file")
    peer = partial(Peer, credentials=credentials, token=token)
    addresses = settings.profiler_addresses()

    def known(name: str, address: str) -> Peer:
        return Peer(address=address) if settings.is_plain(name) else peer(address=address)

    predictor = known("predictor", settings.predictor)
    profilers = Profilers(
        {name: known(name, address) for name, address in addresses.items()},
        call_deadline_s=settings.call_deadline_s,
    )
    around = Surroundings(
        artifacts=artifacts,
        libraries=Libraries(artifacts),
        fragments=Weightless(artifacts),
        predictors=Predictors(predictor.open(), token=predictor.token) if settings.predictor else None,
        profilers=profilers,
        measurement_deadline_s=settings.measurement_deadline_s,
        measurement_attempts=settings.measurement_attempts,
        retry_s=settings.retry_s,
    )
    work = SearchWork(around)
    engine = Engine(store, work, Threads(store, work, limit=settings.concurrent_searches))
    endpoint = Endpoint(
        add=add_SearcherServiceServicer_to_server,
        servicer=SearcherServicer(engine, around),
        name=searcher_pb2.DESCRIPTOR.services_by_name["SearcherService"].full_name,
    )
    # Agents that dialled in are reached through this host's loopback: their stream has the encryption, and they have
    # shown a token of the role agent, so that ours is nothing for them.
    hub = DeviceHub(
        lambda name, address: profilers.add(name, Peer(address=address), "hub"),
        profilers.remove,
        known=settings.state / "searcher-agents.json",
    )
    beside = None
    if settings.profiler_selector:
        found = partial(peer, server_name=settings.profiler_tls_name)
        beside = Discovery(
            lambda name, address: profilers.add(name, found(address=address), "cluster"),
            profilers.remove,
            api=ClusterApi.of_this_pod(),
            selector=settings.profiler_selector,
            namespace=own_namespace(),
        ).run
    return Parts(
        endpoints=[endpoint, hub_endpoint(hub), gateway_endpoint(profilers)],
        engines=[engine],
        beside=beside,
        collectors=[HubMetrics(hub)],
        close=_live_pages(settings, store, around),
    )


def _live_pages(settings: SearcherSettings, store: JobStore, around: Surroundings) -> Callable[[], None]:
    """Starts the pages of running searches, where they are wanted; returns what ends them."""
    if not settings.live_listen:
        return lambda: None
    pages = LivePages(settings.live_listen, store, around)
    pages.start()
    return pages.close


if __name__ == "__main__":
    main("searcher", SearcherSettings, build)
