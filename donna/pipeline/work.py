"""What the phases of a run share: the services, the spec, the folder, whom to tell, and the ledger."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from donna.client import Client
from donna.pipeline import messages
from donna.pipeline.display import Bar, Display, show_progress
from donna.pipeline.folder import RunFolder
from donna.pipeline.spec import Spec
from donna.pipeline.turns import ROUNDS, Latency
from donna.v1 import common_pb2, profiler_pb2


class Work:
    """`devices` are what models are measured on; `costs` what each job has cost, by its name."""

    def __init__(
        self, client: Client, spec: Spec, folder: RunFolder, display: Display, devices: Sequence[str]
    ) -> None:
        self.client, self.spec, self.folder, self.display = client, spec, folder, display
        self.devices = devices
        self.costs: dict[str, common_pb2.Cost] = {}

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[Bar]:
        """A phase as people see it; the time that it takes is added to that of `name`."""
        started = time.monotonic()
        try:
            with self.display.phase(title) as bar:
                yield bar
        finally:
            self.folder.add_timing(name, time.monotonic() - started)

    def job(self, name: str, spec: Any, bar: Bar) -> Any:
        """The resource of a job when it has ended: begun now, or by an earlier start of this run."""
        key = f"{self.folder.run_id}-{name}"
        done = self.client.ensure(spec, key, lambda current: show_progress(bar, current))
        self.costs[name] = done.job.cost
        return done

    def measure(
        self, models: Mapping[str, bytes], bar: Bar, rounds: int = ROUNDS
    ) -> dict[str, dict[str, Latency]]:
        """The latencies of ONNX models by name and device, taken in turns past the cache."""
        settings, started = messages.measurement(self.spec), time.monotonic()
        taken: dict[tuple[str, str], list[profiler_pb2.MeasurementResult]] = defaultdict(list)
        turns = list(product(range(rounds), self.devices, models))
        for done, (_, device, name) in enumerate(turns):
            left_s = (time.monotonic() - started) / done * (len(turns) - done) if done else None
            bar.update(done, len(turns), f"{name} on {device}", left_s)
            measured = self.client.devices.measure(device, models[name], settings, skip_cache=True)
            taken[name, device].append(measured)
        return {name: {device: Latency.of(taken[name, device]) for device in self.devices} for name in models}
