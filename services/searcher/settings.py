"""What the searcher is told by its environment: `DONNA_SEARCHER_<NAME>`."""

from __future__ import annotations

import re

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from donna.settings import ServiceSettings

_PROFILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9_\-]{0,30})=([^\s=,]+:\d{1,5})")


class SearcherSettings(ServiceSettings):
    """Beside what every service has: where predictor and profilers are, and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="DONNA_SEARCHER_", extra="forbid")

    predictor: str = Field(default="", description="Address of the predictor, host:port.")
    profilers: str = Field(
        default="", description="Profilers as name=host:port,...; the name stands for their device."
    )
    profiler_selector: str = Field(
        default="",
        description="Label selector of profiler pods in the searcher's own namespace; empty: none are looked for.",
    )
    peer_token_file: str = Field(
        default="", description="File with the bearer token for predictor and profilers."
    )
    peer_tls_ca: str = Field(
        default="",
        description="PEM file of the authority that signs predictor and profilers; empty means no TLS.",
    )
    peer_tls_certificate: str = Field(default="", description="PEM file of this client's certificate.")
    peer_tls_key: str = Field(default="", description="PEM file of this client's key.")
    plain_peers: str = Field(
        default="",
        description="Names of profilers, and predictor, separated by commas, that are spoken to without TLS and shown "
        "no token: those on this machine.",
    )
    profiler_tls_name: str = Field(
        default="",
        description="Name that profilers found by label have in their certificate; empty means their address.",
    )
    call_deadline_s: float = Field(default=30.0, gt=0, description="Deadline of one call to a profiler.")
    measurement_deadline_s: float = Field(
        default=300.0, gt=0, description="A running measurement is given up after this time."
    )
    measurement_attempts: int = Field(
        default=3, ge=1, le=10, description="Attempts at one network before it counts as not runnable."
    )
    retry_s: float = Field(
        default=2.0, gt=0, description="Pause before a device that is away is tried again."
    )
    concurrent_searches: int = Field(default=2, ge=1, le=32, description="Searches that run at once.")

    live_listen: str = Field(
        default="",
        description="Loopback address of pages that show searches as they run, in HTTP; empty: none.",
    )

    @field_validator("profilers")
    @classmethod
    def _read_profilers(cls, text: str) -> str:
        parse_profilers(text)
        return text

    def is_plain(self, peer: str) -> bool:
        """Whether a peer, by its name, is on this machine and asks nobody who he is."""
        return peer in map(str.strip, self.plain_peers.split(","))

    def profiler_addresses(self) -> dict[str, str]:
        """Name -> host:port of every profiler."""
        return parse_profilers(self.profilers)


def parse_profilers(text: str) -> dict[str, str]:
    """`a=host:port,b=host:port` as a dictionary. Raises ValueError with the piece that is wrong."""
    found: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PROFILER.fullmatch(piece)
        if match is None or match[1] in found:
            raise ValueError(f"must read like name=host:port,... with distinct names, got {piece[:80]!r}")
        found[match[1]] = match[2]
    return found
