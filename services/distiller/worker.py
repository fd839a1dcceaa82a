"""A worker process of the distiller: `python -m services.distiller.worker`. Trains one group after another."""

from __future__ import annotations

from donna.worker import main
from services.distiller.settings import DistillerSettings
from services.distiller.work import DistillWork

if __name__ == "__main__":
    main("distiller", DistillerSettings, DistillWork.of)
