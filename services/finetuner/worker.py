"""A worker process of the finetuner: `python -m services.finetuner.worker`. Trains one network after another."""

from __future__ import annotations

from donna.jobs.placement import worker_main
from donna.service import open_stores, start_logging
from donna.settings import read_settings
from services.finetuner.settings import FinetunerSettings
from services.finetuner.work import FinetuneWork


def main() -> None:
    """Works until idle, told to stop, or orphaned."""
    settings = read_settings(FinetunerSettings)
    start_logging(settings.log_level)
    store, artifacts = open_stores(settings, "finetuner")

    import torch  # after the lease machinery: a start that fails is logged

    torch.set_num_threads(settings.threads)
    work = FinetuneWork(
        artifacts,
        settings.data_root,
        device=settings.device,
        checkpoint_interval_s=settings.checkpoint_interval_s,
    )
    worker_main(store, work)


if __name__ == "__main__":
    main()
