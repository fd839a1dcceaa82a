"""Who may speak: bearer tokens and TLS on both ends. Loopback alone may go without."""

from __future__ import annotations

import hmac
import ipaddress
from pathlib import Path

import grpc

from donna.errors import InvalidArgument, Unauthenticated

HEADER = "authorization"


def is_loopback(address: str) -> bool:
    """True for `127.x.y.z:port`, `[::1]:port` and `localhost:port`."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_listen(address: str, *, authenticated: bool) -> None:
    """Raises InvalidArgument for an address that would be open to others without authentication."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InvalidArgument.of("listen", f"must be host:port, got {address!r}")
    if not authenticated and not is_loopback(address):
        raise InvalidArgument.of(
            "listen",
            f"{address} is open to other machines; set a token file or TLS client certificates first",
        )


def read_secret(path: str, field: str) -> str:
    """The content of a secret file. Raises InvalidArgument naming the setting when it is missing or empty."""
    try:
        secret = Path(path).read_text().strip()
    except OSError as error:
        raise InvalidArgument.of(field, f"{path!r} cannot be read: {error.strerror}") from None
    if not secret:
        raise InvalidArgument.of(field, f"{path!r} is empty")
    return secret


def read_optional(path: str, field: str) -> str:
    """The content of a secret file; empty when the setting names none."""
    return read_secret(path, field) if path else ""


def check_token(metadata: dict[str, str], token: str) -> None:
    """Raises Unauthenticated unless the call carries `authorization: Bearer <token>`."""
    if not hmac.compare_digest(metadata.get(HEADER, "").encode(), f"Bearer {token}".encode()):
        raise Unauthenticated("the call carries no valid bearer token")


def server_credentials(certificate: str, key: str, client_ca: str) -> grpc.ServerCredentials:
    """TLS of a server from PEM files; with `client_ca`, clients must present a certificate signed by it."""
    pair = (read_secret(key, "tls_key").encode(), read_secret(certificate, "tls_certificate").encode())
    ca = read_secret(client_ca, "tls_client_ca").encode() if client_ca else None
    return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)


def channel_credentials(ca: str, certificate: str = "", key: str = "") -> grpc.ChannelCredentials:
    """TLS of a client from PEM files."""
    return grpc.ssl_channel_credentials(
        root_certificates=read_secret(ca, "tls_ca").encode(),
        private_key=read_secret(key, "tls_key").encode() if key else None,
        certificate_chain=read_secret(certificate, "tls_certificate").encode() if certificate else None,
    )
