"""Asks the services whether a spec can be run and what that will take, before any work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from donna.client import Client, JobFailed
from donna.errors import DeadlineExceeded, InvalidArgument, Unavailable
from donna.pipeline import messages
from donna.pipeline.blame import LIBRARY, MEASUREMENT, SEARCH, blame, recipe
from donna.pipeline.bounds import check_space
from donna.pipeline.devices import away, default_device, measured_on, name_devices
from donna.pipeline.display import Bar
from donna.pipeline.plan import PROBED, Plan, make_plan, recipes
from donna.pipeline.spec import Spec
from donna.v1 import common_pb2, profiler_pb2

MEASUREMENTS_ASKED = 100
ENOUGH = 3
"""Measurements that a device has made before, from which the next one's time is told."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run measures: its spec with a device for every latency, what a latency without one means, what models are
    measured on, and a sentence for each of its devices that does not answer now."""

    spec: Spec
    default_device: str
    devices: Sequence[str]
    away: Sequence[str]


def place(client: Client, spec: Spec, default: str | None = None) -> Place:
    """Finds the devices of a spec. `default` is what a latency without a device meant when the run began: one that has
    joined since changes nothing. Raises InvalidArgument for a device that there is not."""
    known = client.devices.searched()
    default = default_device(known) if default is None else default
    named = name_devices(spec, known, default)
    devices = measured_on(named, default)
    return Place(spec=named, default_device=default, devices=devices, away=away(devices, known))


def ask(client: Client, found: Place, bar: Bar) -> Plan:
    """The plan of a run. Everything that can be refused is refused here.

    Raises InvalidArgument or FailedPrecondition in the words of the spec.
    """
    spec, steps = found.spec, len(PROBED) + 1
    with blame(SEARCH):
        client.create(messages.search(spec, None), validate_only=True)
    weights = given_weights(client, spec)
    trained = {}
    with ThreadPoolExecutor(1) as beside:  # devices measure while the finetuner loads what it needs
        settings = messages.measurement(spec)
        pace = beside.submit(lambda: {d: measurement_s(client, d, settings) for d in found.devices})
        for done, (phase, request) in enumerate(recipes(spec, weights)):
            bar.update(done, steps, f"the recipe of {PROBED[phase]}", None)
            with blame(recipe(PROBED[phase])):
                trained[phase] = client.create(request, validate_only=True)
        bar.update(len(trained), steps, f"measuring on {', '.join(found.devices)}", None)
        measured_s = pace.result()
    if "reference" in trained:
        # One that was trained before is known by its weights, and so are the blocks that were distilled from it.
        weights = next(
            (network.weights for network in trained["reference"].networks if network.reused), weights
        )
    bar.update(steps - 1, steps, "the block library", None)
    with blame(LIBRARY):
        library = client.create(messages.block_library(spec, weights), validate_only=True)
    check_space(spec, library)
    return make_plan(spec, library, trained, measured_s)


def given_weights(client: Client, spec: Spec) -> common_pb2.Artifact | None:
    """The weights that a spec names, as an artifact. Raises InvalidArgument when the file cannot be read."""
    path = spec.reference.weights
    if path is None:
        return None
    try:
        return client.upload(Path(path))
    except OSError as error:
        raise InvalidArgument.of("reference.weights", f"{path} cannot be read: {error.strerror}") from None


def measurement_s(client: Client, device: str, settings: common_pb2.MeasurementSettings) -> float | None:
    """Seconds of a measurement on a device: the median of the latest, or else of one that is made now, of a small
    model. None while the device does not answer. Raises InvalidArgument for settings that it does not have."""
    try:
        with blame(MEASUREMENT):
            client.devices.check(device, probe_model(), settings)
        found = client.devices.find(device)
        request = profiler_pb2.ListMeasurementsRequest(page_size=MEASUREMENTS_ASKED)
        latest = client.devices.profiler(found).ListMeasurements(request).measurements
        times = [_time_s(m) for m in latest if m.device == found.device and _was_made(m)]
        if len(times) < ENOUGH:
            # The first measurement of all has to send the model, and the device may look at its canary.
            times = [_timed(client, device, settings) for _ in range(2)][1:]
    except (Unavailable, DeadlineExceeded, JobFailed):
        return None
    return statistics.median(times)


def probe_model() -> bytes:
    """A model of a few hundred bytes: one 3x3 convolution of 8 channels, on maps of 8x8."""
    return resources.files("donna.pipeline").joinpath("probe.onnx").read_bytes()


def _timed(client: Client, device: str, settings: common_pb2.MeasurementSettings) -> float:
    started = time.monotonic()
    client.devices.measure(device, probe_model(), settings, skip_cache=True)
    return time.monotonic() - started


def _was_made(measurement: profiler_pb2.Measurement) -> bool:
    """Whether it succeeded and did not come from the cache."""
    job = measurement.job
    return job.state == common_pb2.JOB_STATE_SUCCEEDED and bool(job.cost.measurements)


def _time_s(measurement: profiler_pb2.Measurement) -> float:
    job = measurement.job
    return (job.end_time.ToNanoseconds() - job.start_time.ToNanoseconds()) / 1e9
