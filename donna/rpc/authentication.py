"""Who may call what: bearer tokens, client certificates, and the roles that they stand for. Loopback alone may go
without.

A token is known here by its SHA-256 alone, so a service can be given digests (`sha256:<hex>`) and never hold a token
that would open another service.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from donna.errors import InvalidArgument, PermissionDenied, Unauthenticated
from donna.rpc.roles import ROLES, Role, check_role

HEADER = "authorization"
ROLE_URI = "donna:"
"""A client certificate says its role in its subject alternative name: URI:donna:client."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


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
    except UnicodeDecodeError:
        raise InvalidArgument.of(field, f"{path!r} is no text") from None
    if not secret:
        raise InvalidArgument.of(field, f"{path!r} is empty")
    return secret


def read_optional(path: str, field: str) -> str:
    """The content of a secret file; empty when the setting names none."""
    return read_secret(path, field) if path else ""


def read_tokens(token_file: str, tokens: str) -> dict[str, Role]:
    """The role of each token, by the token's SHA-256 in hex. `token_file` has tokens of the role admin; the folder
    `tokens` a file for each role that is let in, called after it. One token on each line, or its digest as
    `sha256:<hex>`; two lines let the old and the new one in while they are changed.

    Raises InvalidArgument, with no token in its sentence.
    """
    files: list[tuple[Path, str, Role]] = [(Path(token_file), "token_file", "admin")] if token_file else []
    if tokens:
        try:
            there = {path.name for path in Path(tokens).iterdir()}
        except OSError as error:
            raise InvalidArgument.of("tokens", f"{tokens!r} cannot be listed: {error.strerror}") from None
        files += [(Path(tokens) / role, "tokens", role) for role in ROLES if role in there]
        if there.isdisjoint(ROLES):
            raise InvalidArgument.of("tokens", f"{tokens!r} has none of the files {', '.join(ROLES)}")
    found: dict[str, Role] = {}
    for path, field, role in files:
        for line in read_secret(str(path), field).splitlines():
            if not (line := line.strip()):
                continue
            digest = given[1] if (given := _DIGEST.fullmatch(line)) else digest_of(line)
            if found.setdefault(digest, role) != role:
                raise InvalidArgument.of(field, f"a token in {str(path)!r} is that of another role too")
    return found


def digest_of(token: str) -> str:
    """What a service knows of a token: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


class Gate:
    """Lets a call through when what its caller proves may make it. Without tokens and certificates everybody is let
    through: check_listen sees to it that only this machine can come.

    `tokens` is asked at each call, so that they can change while a service runs. Where there are tokens, a token
    tells the role; else the client's certificate does.
    """

    def __init__(
        self, tokens: Callable[[], Mapping[str, Role]] | None = None, *, certificates: bool = False
    ) -> None:
        self._tokens = tokens
        self._certificates = certificates

    @property
    def guarded(self) -> bool:
        """Whether callers must prove who they are."""
        return self._tokens is not None or self._certificates

    def check(self, method: str, metadata: Mapping[str, Any], certificate: Mapping[str, Any]) -> None:
        """Raises Unauthenticated or PermissionDenied. `certificate` are the properties of the transport."""
        if self._tokens is not None:
            check_role(_role_of_token(metadata, self._tokens()), method)
        elif self._certificates:
            check_role(_role_of_certificate(certificate), method)


def _role_of_token(metadata: Mapping[str, Any], tokens: Mapping[str, Role]) -> Role:
    scheme, _, token = str(metadata.get(HEADER, "")).partition(" ")
    presented = digest_of(token)
    # Every token is compared, in constant time: how long it took tells nothing.
    roles = [role for digest, role in tokens.items() if hmac.compare_digest(digest, presented)]
    if scheme != "Bearer" or not roles:
        raise Unauthenticated("the call carries no valid bearer token")
    return roles[0]


def _role_of_certificate(properties: Mapping[str, Any]) -> Role:
    names = [name.decode(errors="replace") for name in properties.get("x509_subject_alternative_name", ())]
    said = {name.removeprefix(ROLE_URI) for name in names if name.startswith(ROLE_URI)}
    roles: list[Role] = [role for role in ROLES if role in said]
    if len(roles) != 1:
        raise PermissionDenied(
            f"the client's certificate must name one role, as URI:{ROLE_URI}client in its alternative names",
            reason="CERTIFICATE_WITHOUT_ROLE",
        )
    return roles[0]
