"""What stands for a service that a client has no address of."""

from __future__ import annotations

from typing import Any

from donna.errors import FailedPrecondition


class Absent:
    """Every call is refused."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, rpc: str) -> Any:
        raise FailedPrecondition(f"no address of the {self._service} is known", reason="NO_ADDRESS")
