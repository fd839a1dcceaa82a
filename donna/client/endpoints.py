"""Where the services are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """host:port of each service; `profilers` by the names that the searcher knows them under.

    A service without an address is not spoken to: asking it is FailedPrecondition. Devices are reached through the
    searcher; the addresses of profilers are for where there is none, or for one that it does not know.
    """

    distiller: str = ""
    finetuner: str = ""
    predictor: str = ""
    searcher: str = ""
    profilers: Mapping[str, str] = field(default_factory=dict)
