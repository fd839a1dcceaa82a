"""A client for one command: to services that run somewhere, to those of `donna up`, or to its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from donna.cli.config import SERVICES, Connection, read_connection
from donna.cli.output import waiting
from donna.client import Client, Endpoints
from donna.errors import InvalidArgument
from donna.local import DEVICE, services
from donna.rpc.authentication import read_optional
from donna.rpc.probe import probe
from donna.rpc.tls import channel_credentials
from donna.running import running


@contextmanager
def connect(
    options: Sequence[str] | None, state: Path, needs: Collection[str] = SERVICES, *, lasting: bool = False
) -> Iterator[Client]:
    """A client that can speak to the services in `needs`; only those are started here.

    Services that run already on the state folder are used; with `lasting`, only those that outlive the command
    that started them. Raises InvalidArgument for endpoints that read wrongly or are too few.
    """
    connection = read_connection(options or ())
    _credentials(connection)  # what is wrong with them is said even where they are not needed
    given = connection.services
    # A searcher leads to its devices. Else any device will do where a profiler is needed; with other services to start,
    # this machine is one too.
    reached = bool(connection.devices) or "searcher" in given
    missing = [s for s in needs if s not in given and not (s == "profiler" and reached)]
    if not missing:
        with _remote(connection) as client:
            yield client
        return
    if given and (connection.token_file or connection.tls_ca):
        raise InvalidArgument.of(
            "--endpoint", f"with a token or TLS every service must be given; missing: {', '.join(missing)}"
        )
    found = running(state.absolute()) if not given and not connection.devices else None
    if found is not None and (found.lasting or not lasting):
        with Client(found.endpoints) as client:
            yield client
        return
    with ExitStack() as stack:
        with waiting("Starting the services"):
            client = stack.enter_context(
                services(
                    state,
                    given=given,
                    profilers=connection.devices,
                    only=needs,
                    to_profilers=_to_profilers(connection),
                )
            )
        yield client


def _to_profilers(connection: Connection) -> dict[str, str]:
    """How a searcher of our own proves to the devices of the connection who it is."""
    settings = {
        "PEER_TOKEN_FILE": connection.token_file,
        "PEER_TLS_CA": connection.tls_ca,
        "PEER_TLS_CERTIFICATE": connection.tls_certificate,
        "PEER_TLS_KEY": connection.tls_key,
    }
    return {name: value for name, value in settings.items() if value} if connection.devices else {}


def _remote(connection: Connection) -> Client:
    given = connection.services
    own = {DEVICE: given["profiler"]} if "profiler" in given else {}
    endpoints = Endpoints(
        **{service: given.get(service, "") for service in SERVICES if service != "profiler"},
        profilers=own | connection.devices,
    )
    return Client(endpoints, token=_token(connection), credentials=_credentials(connection))


def health(address: str, connection: Connection) -> str:
    """What the service at an address says of its health, or why it says nothing."""
    return probe(address, credentials=_credentials(connection), token=_token(connection))


def _token(connection: Connection) -> str:
    return read_optional(connection.token_file, "token_file")


def _credentials(connection: Connection) -> Any:
    return channel_credentials(connection.tls_ca, connection.tls_certificate, connection.tls_key)
