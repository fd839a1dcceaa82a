"""This agent at a device hub: under which name it dials in, and as whom."""

from __future__ import annotations

import platform
import re
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from donna import durable
from donna.errors import InvalidArgument
from donna.rpc.authentication import read_optional
from donna.rpc.dial import attach_for_ever
from donna.rpc.tls import channel_credentials
from donna.v1 import hub_pb2
from services.profiler.description import Descriptions
from services.profiler.devices import Devices
from services.profiler.settings import ProfilerSettings


def dialler(
    settings: ProfilerSettings, devices: Devices, descriptions: Descriptions
) -> Callable[[str], Coroutine[Any, Any, None]] | None:
    """What keeps the agent attached, given its own address, for as long as it serves; None without a hub.

    Raises InvalidArgument when a file of the settings cannot be read, and for settings with which the hub's calls,
    in plain text and without a token as they come through the stream, would never be answered.
    """
    if not settings.hub:
        return None
    for field in ("tls_certificate", "token_file", "tokens"):
        if getattr(settings, field):
            raise InvalidArgument.of(
                field,
                "an agent that dials a hub serves it in plain text and without tokens, inside its own stream: let it "
                "listen on loopback, without TLS and tokens of its own",
            )
    name = settings.hub_agent or host_name()
    instance = own_instance(settings.state / "profiler-instance")
    token = read_optional(settings.hub_token_file, "hub_token_file")
    credentials = channel_credentials(
        settings.hub_tls_ca, settings.hub_tls_certificate, settings.hub_tls_key, settings="hub_tls"
    )

    def hello() -> hub_pb2.AgentHello:
        every = list(devices)
        found = zip(every, descriptions.of(every), strict=True)
        fingerprints = {d.identity.name: told.fingerprint_sha256 for d, told in found if not told.away}
        return hub_pb2.AgentHello(agent=name, instance=instance, fingerprint_sha256=fingerprints)

    def dial(own_address: str) -> Coroutine[Any, Any, None]:
        return attach_for_ever(settings.hub, hello, own_address, token=token, credentials=credentials)

    return dial


def host_name() -> str:
    """The host's name as a hub takes it."""
    return re.sub(r"[^A-Za-z0-9_\-]", "-", platform.node().partition(".")[0])[:31].lstrip("-_") or "agent"


def own_instance(path: Path) -> str:
    """What tells this agent from another of the same name: made once, kept in the state."""
    found = path.read_text() if path.exists() else ""
    if not found:
        found = secrets.token_hex(16)
        durable.write(path, found.encode())
    return found
