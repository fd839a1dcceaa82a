"""What the distiller can be told by its environment: DONNA_DISTILLER_<NAME>."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from donna.settings import TrainingSettings


class DistillerSettings(TrainingSettings):
    """The distiller's own settings beside those of every service."""

    model_config = SettingsConfigDict(env_prefix="DONNA_DISTILLER_", extra="forbid", populate_by_name=True)

    data_root: Path | None = Field(
        None,
        validation_alias=AliasChoices("DONNA_DISTILLER_DATA_ROOT", "DONNA_DATA_ROOT"),
        description="Folder that dataset files are looked for in (also DONNA_DATA_ROOT); empty: no files.",
    )
    workers: int = Field(
        1, ge=1, le=256, description="Worker processes, each for one group of blocks at a time."
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of each worker that step blocks; 0: the processors shared by the workers.",
    )
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$", description="auto, cpu or cuda.")
    memory_bytes: int = Field(
        2 << 30,
        ge=1 << 20,
        description="Memory for one group of blocks in training, in bytes; more blocks make more groups.",
    )
    checkpoint_interval_s: float = Field(
        10.0,
        ge=0,
        description="Age of a checkpoint, in seconds, after which the next is written; "
        "20 times the time that writing took, where that is more.",
    )

    def num_threads(self) -> int:
        """How many threads step blocks in each worker."""
        return self.threads or max(1, len(os.sched_getaffinity(0)) // self.workers)

    def num_workers(self) -> int:
        """How many groups train at the same time, wherever that is."""
        return self.job_parallelism if self.placement == "kubernetes" else self.workers
