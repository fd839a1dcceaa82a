"""How long independent tasks take on many workers that are not all equally fast and come and go. Pure, seeded."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Workers of a cluster.

    `straggling` is the standard deviation of the logarithm of a worker's slowness; a worker is taken away after
    `mtbf_h` hours on average (0: never) and replaced after `replace_s`; what it had done since its last checkpoint,
    at most `checkpoint_s`, is done again, by whoever has the lease after `lease_s`.
    """

    workers: int
    straggling: float = 0.1
    mtbf_h: float = 0.0
    replace_s: float = 180.0
    checkpoint_s: float = 10.0
    lease_s: float = 6.0
    start_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a simulation came to, in seconds of the clock and of all workers together."""

    makespan_s: float
    busy_s: float
    lost_s: float
    preemptions: int

    def utilisation(self, workers: int) -> float:
        """The part of the workers' time that was spent on work that counts."""
        return (self.busy_s - self.lost_s) / (workers * self.makespan_s)


def simulate(durations_s: Sequence[float], fleet: Fleet, seed: int) -> Outcome:
    """Each worker that is free takes the next task, as the engine's leases have it; interrupted tasks go back."""
    rng = np.random.default_rng(seed)
    slowness = np.exp(rng.normal(0.0, fleet.straggling, fleet.workers))
    free = [(fleet.start_s, worker) for worker in range(fleet.workers)]
    heapq.heapify(free)
    waiting = [(0.0, index, float(work)) for index, work in enumerate(durations_s)]
    heapq.heapify(waiting)
    ends: list[float] = []
    busy = lost = 0.0
    preemptions = 0
    while waiting:
        at, worker = heapq.heappop(free)
        ready, index, work = heapq.heappop(waiting)
        start = max(at, ready)
        takes = work * slowness[worker]
        gone = rng.exponential(fleet.mtbf_h * 3600) if fleet.mtbf_h else np.inf
        if gone >= takes:
            ends.append(start + takes)
            busy += takes
            heapq.heappush(free, (start + takes, worker))
            continue
        preemptions += 1
        again = min(gone, rng.uniform(0, fleet.checkpoint_s))
        busy += gone
        lost += again
        left = work - (gone - again) / slowness[worker]
        heapq.heappush(waiting, (start + gone + fleet.lease_s, index, left))
        heapq.heappush(free, (start + gone + fleet.replace_s, worker))
    return Outcome(makespan_s=max(ends), busy_s=busy, lost_s=lost, preemptions=preemptions)
