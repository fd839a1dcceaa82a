"""A worker process of the finetuner: `python -m services.finetuner.worker`. Trains one network after another."""

from __future__ import annotations

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore
from donna.worker import main
from services.finetuner.settings import FinetunerSettings
from services.finetuner.work import FinetuneWork


def build(settings: FinetunerSettings, store: JobStore, artifacts: ArtifactStore) -> FinetuneWork:
    """The work as the settings have it."""
    import torch  # after the lease machinery: a start that fails is logged

    torch.set_num_threads(settings.threads)
    return FinetuneWork(
        artifacts,
        settings.data_root,
        device=settings.device,
        checkpoint_interval_s=settings.checkpoint_interval_s,
    )


if __name__ == "__main__":
    main("finetuner", FinetunerSettings, build)
