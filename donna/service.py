"""The life of a service: settings in, stores opened, parts built, served, stopped. The same for all five."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from donna import durable
from donna.allocator import Option, set_options
from donna.artifacts import ArtifactStore
from donna.errors import DonnaError, FailedPrecondition
from donna.health import Health
from donna.jobs import lifeline
from donna.jobs.database import CONNECTIONS, open_database
from donna.jobs.engine import Engine
from donna.jobs.store import JobStore
from donna.rpc.artifact_servicer import artifact_endpoint
from donna.rpc.authentication import Gate, is_loopback, read_optional, read_tokens
from donna.rpc.calls import CallInterceptor
from donna.rpc.reloaded import Reloaded
from donna.rpc.roles import Role
from donna.rpc.server import Endpoint, Server
from donna.rpc.tls import server_credentials
from donna.settings import ServiceSettings, read_settings
from donna.telemetry.logs import start_logging
from donna.telemetry.metrics import Metrics
from donna.telemetry.tracing import Tracing, start_tracing

S = TypeVar("S", bound=ServiceSettings)
log = logging.getLogger("donna.service")

DATABASE_PATIENCE_S = 60.0
MAX_FILES = 65_536
STOP_S = 25.0
"""A service that was told to stop is gone by then, whatever hangs: less than the manifests let it take (30 s)."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a service consists of: its endpoints, and the engines that work behind them; `beside`, given the
    address, runs on the server's loop for as long as it serves; `collectors` add metrics of its own."""

    endpoints: Sequence[Endpoint]
    engines: Sequence[Engine]
    beside: Callable[[str], Coroutine[Any, Any, None]] | None = None
    collectors: Sequence[Any] = ()
    close: Callable[[], None] = field(default=lambda: None)


def leave_when_told() -> None:
    """SIGTERM and SIGINT end this process at once, while there is nothing yet that it could finish: the first process
    of a container would not hear of them otherwise."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def open_stores(
    settings: ServiceSettings,
    service: str,
    *,
    patience_s: float = DATABASE_PATIENCE_S,
    connections: int = CONNECTIONS,
) -> tuple[JobStore, ArtifactStore]:
    """The job store and the artifact store of a service or of one of its workers.

    Raises FailedPrecondition when a folder cannot be written, or the database does not answer within `patience_s`.
    """
    _check_writable(settings.state, "state")
    artifacts = open_artifacts(settings)
    password = read_optional(settings.database_password_file, "database_password_file")
    database = open_database(
        settings.database_url(service),
        password=password,
        schema=service,
        patience_s=patience_s,
        connections=connections,
    )
    return JobStore(database, max_active=settings.max_active_jobs), artifacts


def open_artifacts(settings: ServiceSettings) -> ArtifactStore:
    """The artifact store that the settings name, in a folder or in object storage."""
    location = settings.artifact_location()
    if "://" not in location:
        _check_writable(Path(location), "artifact")
        return ArtifactStore(location, free_bytes=settings.free_bytes)
    try:
        from donna.object_artifacts import ObjectArtifactStore, S3Access
    except ImportError as error:
        raise FailedPrecondition("artifacts in object storage need the extra donna[cluster]") from error
    access = S3Access(
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=read_optional(settings.s3_access_key_file, "s3_access_key_file"),
        secret_key=read_optional(settings.s3_secret_key_file, "s3_secret_key_file"),
    )
    return ObjectArtifactStore(
        location, access, spool=settings.state / "incoming", free_bytes=settings.free_bytes
    )


def _check_writable(folder: Path, name: str) -> None:
    """A volume that is mounted read-only is told at the start, not by the first job."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        durable.probe(folder)
    except OSError as error:
        raise FailedPrecondition(f"the {name} folder cannot be written: {error.strerror}") from error


def main(service: str, settings_class: type[S], build: Callable[[S, JobStore, ArtifactStore], Parts]) -> None:
    """Runs a service until SIGTERM or SIGINT. Wrong settings end it with code 2 and one sentence."""
    leave_when_told()
    try:
        settings = read_settings(settings_class)
        start_logging(settings.log_level, settings.log_format)
        allow_many_connections()
        share_arenas()
        store, artifacts = open_stores(settings, service)
        tracing = start_tracing(service, settings.traces_endpoint)
        parts = build(settings, store, artifacts)
        asyncio.run(_serve(service, settings, store, artifacts, parts, tracing))
    except DonnaError as error:
        sys.stderr.write(f"donna {service}: {error.message}\n")
        sys.exit(2)


def allow_many_connections() -> None:
    """Each connection is an open file, of which a process may have 1,024 unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def share_arenas() -> None:
    """Two arenas of memory for all threads. By default there are eight for each processor, and each keeps the most
    that the calls of its threads ever took at once: a service under load grows for hours."""
    set_options({Option.MOST_ARENAS: 2})


async def _serve(
    service: str,
    settings: ServiceSettings,
    store: JobStore,
    artifacts: ArtifactStore,
    parts: Parts,
    tracing: Tracing,
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            last = threading.Timer(STOP_S, _give_up, [service])
            last.daemon = True
            last.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    lifeline.hold()

    kinds = [engine.work.kind for engine in parts.engines]
    metrics = Metrics(service, store, kinds, parts.collectors) if settings.metrics_listen else None
    server = Server(
        [*parts.endpoints, artifact_endpoint(artifacts)],
        listen=settings.listen,
        health_listen=settings.health_listen,
        healthy=Health(store, artifacts, parts.engines, settings.state),
        gate=_gate(settings),
        credentials=server_credentials(settings.tls_certificate, settings.tls_key, settings.tls_client_ca),
        interceptors=[*tracing.interceptors, *([CallInterceptor(metrics.calls)] if metrics else [])],
    )
    try:
        if metrics is not None:
            log.info("%s serves metrics on %s", service, metrics.serve(settings.metrics_listen))
        for engine in parts.engines:
            engine.start()
        address = await server.start()
        log.info("%s serves on %s", service, address)
        if not settings.tls_certificate and not is_loopback(address):
            log.warning(
                "tokens and weights travel in clear text to %s: set TLS_CERTIFICATE and TLS_KEY, or see to it that "
                "nobody listens on its network",
                address,
            )
        if settings.address_file:
            durable.write(Path(settings.address_file), address.encode(), sync=False)
        beside = asyncio.create_task(parts.beside(address)) if parts.beside is not None else None
        await stopping.wait()
        log.info("%s stops", service)
        if beside is not None:
            beside.cancel()
    finally:
        await server.stop()
        for engine in parts.engines:
            await asyncio.to_thread(engine.close)
        if metrics is not None:
            metrics.close()
        tracing.close()
        parts.close()


def _give_up(service: str) -> None:
    log.error("%s could not stop within %g s and is ended", service, STOP_S)
    os._exit(1)


def _gate(settings: ServiceSettings) -> Gate:
    """Who may call, as the settings say; tokens that change are taken over without a restart."""
    certificates = bool(settings.tls_client_ca)
    if not settings.token_file and not settings.tokens:
        return Gate(certificates=certificates)

    def read() -> dict[str, Role]:
        return read_tokens(settings.token_file, settings.tokens)

    return Gate(Reloaded(read, settings.token_file, settings.tokens), certificates=certificates)
