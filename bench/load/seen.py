"""What the clients and watchers of one service saw, and the evidence of what should not have been."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

PERCENTILES = (50, 95, 99)
MOST_KINDS = 20


@dataclass(kw_only=True)
class Trouble:
    """One kind of failure: who met it, with which status and words, how often, and when first and last."""

    who: str
    code: str
    details: str
    first_s: float
    last_s: float = 0.0
    count: int = 0


@dataclass
class Seen:
    """Of one service. `statuses` are all answers to clients; `troubles` those that the call did not ask for."""

    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    heard: int = 0
    watches_begun: int = 0
    watches_ended_clean: int = 0
    watches_broken: int = 0
    troubles: dict[tuple[str, str, str], Trouble] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    def answered(self, call: str, started: float, status: str, expected: str, details: str = "") -> None:
        """A call of a client has ended."""
        self.latencies_ms.append(1000 * (time.perf_counter() - started))
        self.statuses[status] += 1
        if status != expected:
            self.trouble(call, status, details)

    def broken(self, error: grpc.aio.AioRpcError) -> None:
        """A watch ended with an error."""
        self.watches_broken += 1
        self.trouble("watch", error.code().name, error.details() or "")

    def trouble(self, who: str, code: str, details: str) -> None:
        """Notes what nobody asked for."""
        now = round(time.monotonic() - self.since, 1)
        key = (who, code, details[:200])
        if key not in self.troubles and len(self.troubles) >= MOST_KINDS:
            key = ("others", "", "")
        found = self.troubles.setdefault(key, Trouble(who=key[0], code=key[1], details=key[2], first_s=now))
        found.count, found.last_s = found.count + 1, now

    def figures(self) -> dict[str, Any]:
        """All of it."""
        found = np.array(self.latencies_ms or [float("nan")])
        return {
            "calls": len(self.latencies_ms),
            "latency_ms": {f"p{p}": round(float(np.percentile(found, p)), 2) for p in PERCENTILES},
            "statuses": dict(self.statuses.most_common()),
            "watch_messages": self.heard,
            "watches": {
                "begun": self.watches_begun,
                "ended_clean": self.watches_ended_clean,
                "broken": self.watches_broken,
            },
            "troubles": [vars(trouble) for trouble in self.troubles.values()],
        }
