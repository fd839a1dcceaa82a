"""TLS of both ends from PEM files."""

from __future__ import annotations

import ssl

import grpc

from donna.errors import InvalidArgument
from donna.rpc.authentication import read_secret
from donna.rpc.reloaded import LOOK_S, Reloaded

SYSTEM_ROOTS = "system"
"""In place of a file: the authorities that this machine trusts."""


def server_credentials(
    certificate: str, key: str, client_ca: str = "", *, look_s: float = LOOK_S
) -> grpc.ServerCredentials | None:
    """TLS of a server; with `client_ca`, clients must present a certificate signed by it. None where nothing is set.

    Files that change are read again: connections made from then on see the new certificate, and no call is broken.
    Raises InvalidArgument naming the setting that is missing beside another, or whose file cannot be read, or when key
    and certificate do not fit.
    """
    if not (certificate or key or client_ca):
        return None
    for value, field in ((certificate, "tls_certificate"), (key, "tls_key")):
        _check_given(value, field)

    def read() -> grpc.ServerCertificateConfiguration:
        pair = (read_secret(key, "tls_key").encode(), read_secret(certificate, "tls_certificate").encode())
        _check_pair(certificate, key)
        ca = read_secret(client_ca, "tls_client_ca").encode() if client_ca else None
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=ca)

    current = Reloaded(read, certificate, key, client_ca, look_s=look_s)
    served = current()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """Asked at each handshake; None means that nothing has changed."""
        nonlocal served
        if (found := current()) is served:
            return None
        served = found
        return found

    return grpc.dynamic_ssl_server_credentials(served, changed, require_client_authentication=bool(client_ca))


def _check_pair(certificate: str, key: str) -> None:
    """A pair that does not fit, as when one file of the two was renewed already, would break every handshake."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise InvalidArgument.of(
            "tls_certificate", f"{certificate!r} and {key!r} are no certificate and its key ({error.reason})"
        ) from None


def _check_given(value: str, field: str) -> None:
    """Whoever sets one of several has asked for TLS, and must not get plain text instead."""
    if not value:
        raise InvalidArgument.of(field, "is needed beside what else is set for TLS")


def channel_credentials(
    ca: str, certificate: str = "", key: str = "", *, settings: str = "tls"
) -> grpc.ChannelCredentials | None:
    """TLS of a client that trusts the authority in the file `ca`, or those of the system; `certificate` and `key` prove
    who it is to servers that ask for it. None where nothing is set.

    `settings` is how the names of the settings begin. Raises InvalidArgument naming the one that is missing beside
    another, or whose file cannot be read.
    """
    if not (ca or certificate or key):
        return None
    _check_given(ca, f"{settings}_ca")
    if certificate or key:
        _check_given(certificate, f"{settings}_certificate")
        _check_given(key, f"{settings}_key")
    return grpc.ssl_channel_credentials(
        root_certificates=None if ca == SYSTEM_ROOTS else read_secret(ca, f"{settings}_ca").encode(),
        private_key=read_secret(key, f"{settings}_key").encode() if key else None,
        certificate_chain=read_secret(certificate, f"{settings}_certificate").encode()
        if certificate
        else None,
    )
