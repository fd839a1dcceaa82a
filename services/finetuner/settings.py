"""What the finetuner can be told by its environment: DONNA_FINETUNER_<NAME>."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from donna.settings import TrainingSettings

MAX_AUTOMATIC_WORKERS = 4


class FinetunerSettings(TrainingSettings):
    """The finetuner's own settings beside those of every service."""

    model_config = SettingsConfigDict(env_prefix="DONNA_FINETUNER_", extra="forbid", populate_by_name=True)

    data_root: Path | None = Field(
        None,
        validation_alias=AliasChoices("DONNA_FINETUNER_DATA_ROOT", "DONNA_DATA_ROOT"),
        description="Folder that dataset files are looked for in (also DONNA_DATA_ROOT); empty: no files.",
    )
    workers: int = Field(
        0, ge=0, le=256, description="Worker processes; 0: one for each processor, at most 4."
    )
    threads: int = Field(1, ge=1, le=256, description="Threads of each worker's tensor operations.")
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$", description="auto, cpu or cuda.")
    checkpoint_interval_s: float = Field(
        30.0,
        ge=0,
        description="Age of a checkpoint, in seconds, after which the next epoch writes one; "
        "20 times the time that writing took, where that is more.",
    )

    def parallelism(self) -> int:
        """How many networks train at the same time, wherever that is."""
        return self.job_parallelism if self.placement == "kubernetes" else self.num_workers()

    def num_workers(self) -> int:
        """How many worker processes to keep."""
        return self.workers or min(MAX_AUTOMATIC_WORKERS, len(os.sched_getaffinity(0)))
