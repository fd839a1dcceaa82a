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
    concurrency: int = Field(default=4, ge=1, le=256, description="Measurements prepared or waiting at once.")
    canary_every: int = Field(
        default=25, ge=0, description="Measure the canary after so many measurements; 0 means never."
    )
    phones: str = Field(
        default="", description="JSON file that lists the phones attached to this host; empty means none."
    )
