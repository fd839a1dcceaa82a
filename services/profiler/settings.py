"""What the profiler can be told by its environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from donna.settings import ServiceSettings


class ProfilerSettings(ServiceSettings):
    """Read from `DONNA_PROFILER_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="DONNA_PROFILER_", extra="forbid")

    device_id: str = Field(
        default="local", pattern="^[A-Za-z0-9]{1,64}$", description="Id of this machine among the devices."
    )
    default_provider: str = Field(default="", description="Execution provider used unless one is asked for.")
    quota_bytes: int = Field(
        default=8 << 30, ge=1 << 20, description="Disk space for models; the least recently used leave first."
    )
    max_model_bytes: int = Field(default=1 << 30, ge=1 << 10, description="Size of one model at most.")
    canary_every: int = Field(
        default=25,
        ge=0,
        description="Measure the canary by itself after so many measurements without it; 0 means never.",
    )
    keep_measurements: int = Field(
        default=10_000,
        ge=100,
        description="Measurements that are kept with their figures; of those that have ended the oldest leave first.",
    )
    phones: str = Field(
        default="", description="JSON file that lists the phones attached to this host; empty means none."
    )
    hub: str = Field(
        default="",
        description="Address of a device hub to dial, host:port, for hosts that cannot be reached.",
    )
    hub_agent: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_\-]{0,30})?$",
        description="Name at the hub; empty means the host's name.",
    )
    hub_token_file: str = Field(default="", description="File with the bearer token that the hub asks for.")
    hub_tls_ca: str = Field(
        default="", description="PEM file of the authority that signs the hub; empty means no TLS."
    )
    hub_tls_certificate: str = Field(default="", description="PEM file of this agent's certificate.")
    hub_tls_key: str = Field(default="", description="PEM file of this agent's key.")
