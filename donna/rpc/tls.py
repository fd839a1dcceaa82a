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
) -> grpc.ServerCredentials:
    """TLS of a server; with `client_ca`, clients must present a certificate signed by it.

    Files that change are read again: connections made from then on see the new certificate, and no call is broken.
    Raises InvalidArgument naming the setting whose file cannot be read, or when key and certificate do not fit.
    """

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


def channel_credentials(ca: str, certificate: str = "", key: str = "") -> grpc.ChannelCredentials:
    """TLS of a client that trusts the authority in the file `ca`, or those of the system; `certificate` and `key` prove
    who it is to servers that ask for it."""
    return grpc.ssl_channel_credentials(
        root_certificates=None if ca == SYSTEM_ROOTS else read_secret(ca, "tls_ca").encode(),
        private_key=read_secret(key, "tls_key").encode() if key else None,
        certificate_chain=read_secret(certificate, "tls_certificate").encode() if certificate else None,
    )
