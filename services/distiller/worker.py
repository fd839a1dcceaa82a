"""A worker process of the distiller: `python -m services.distiller.worker`. Trains one group after another."""

from __future__ import annotations

from donna.jobs.placement import worker_main
from donna.service import open_stores, start_logging
from donna.settings import read_settings
from services.distiller.settings import DistillerSettings
from services.distiller.work import DistillWork


def main() -> None:
    """Works until idle, told to stop, or orphaned."""
    settings = read_settings(DistillerSettings)
    start_logging(settings.log_level)
    store, artifacts = open_stores(settings, "distiller")
    worker_main(store, DistillWork.of(settings, store, artifacts))


if __name__ == "__main__":
    main()
