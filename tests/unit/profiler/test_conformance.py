"""What every device must do, whatever is behind it: one suite, all backends."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from donna.errors import Cancelled, DonnaError
from services.profiler.canary import canary_model
from services.profiler.device import fingerprint_sha256
from services.profiler.failure import REASONS
from services.profiler.local_device import LocalDevice
from services.profiler.measurement import MeasurementSettings
from tests.unit.graphs import fragments as make
from tests.unit.profiler import models_that_misbehave as misbehaving
from tests.unit.profiler.lab import Lab

GOOD = make.conv(3, 4, 8).SerializeToString()
SETTINGS = MeasurementSettings(
    provider="CPUExecutionProvider",
    warmup_runs=3,
    min_runs=10,
    max_runs=40,
    min_time_ms=0.5,
    relative_ci_width=10.0,
    max_repeats=0,
    deadline_ms=30_000.0,
)


@pytest.fixture(scope="module", params=["onnxruntime", "adb"])
def device(request, tmp_path_factory):
    if request.param == "onnxruntime":
        made = LocalDevice(device_id="local")
        yield made
        made.close()
    else:
        if shutil.which("adb") is None:
            pytest.skip("needs adb (Debian package adb)")
        lab = Lab(tmp_path_factory.mktemp("lab"))
        yield lab.device(lab.plug_in(), file=str(lab.runner))
        lab.close()


def quietly():
    pass


def test_says_who_it_is(device):
    assert device.unavailable_reason() == ""
    identity = device.identity
    assert identity.name == f"devices/{identity.id}"
    assert identity.id.isalnum()
    assert identity.kind
    assert identity.description
    assert identity.providers[0] == "CPUExecutionProvider"
    assert identity.backend in ("onnxruntime", "adb")


def test_the_fingerprint_is_text_and_stays(device):
    first = device.fingerprint()
    assert first
    assert all(isinstance(key, str) and isinstance(value, str) and value for key, value in first.items())
    assert device.fingerprint() == first
    assert len(fingerprint_sha256(first)) == 64


def test_the_state_is_text(device):
    assert all(isinstance(value, str) and value for value in device.state().values())


@pytest.mark.parametrize("model", [GOOD, canary_model()], ids=["small", "canary"])
def test_measures(device, model):
    measured = device.measure(model, SETTINGS, quietly)
    assert 10 <= len(measured.samples_ms) <= 40
    assert all(np.isfinite(sample) and sample > 0 for sample in measured.samples_ms)
    assert measured.attempts == 1
    assert measured.peak_memory_bytes > 0


def outcome(device, provider):
    """Providers that ran nodes, or the reason why it could not be measured."""
    try:
        return device.measure(GOOD, replace(SETTINGS, provider=provider), quietly).nodes_by_provider
    except DonnaError as error:
        return error.reason


def test_every_provider_that_it_offers_measures_or_says_why_not(device):
    for provider in device.identity.providers:
        found = outcome(device, provider)
        # A phone's runner does not tell which provider ran which node.
        silent = {} if device.identity.backend == "adb" else None
        assert found in ("UNMEASURABLE", silent) or provider in found


def test_a_larger_batch_takes_longer(device):
    one, many = (
        np.median(device.measure(GOOD, replace(SETTINGS, batch_size=size), quietly).samples_ms)
        for size in (1, 256)
    )
    assert many > 3 * one


@pytest.mark.parametrize(
    ("model", "changed", "reasons"),
    [
        (misbehaving.endless(), {"deadline_ms": 4000.0}, {"TIMEOUT"}),
        (misbehaving.unknown_operator(), {}, {"UNSUPPORTED_OP", "CRASHED"}),
        (make.conv(3, 4, 8).SerializeToString(), {"affinity": (3999,)}, {"UNMEASURABLE"}),
    ],
    ids=["endless", "unknown operator", "no such processor"],
)
def test_fails_with_a_reason_and_goes_on(device, model, changed, reasons):
    with pytest.raises(DonnaError) as caught:
        device.measure(model, replace(SETTINGS, **changed), quietly)
    assert caught.value.reason in reasons & set(REASONS)
    assert caught.value.message
    assert device.measure(GOOD, SETTINGS, quietly).samples_ms


def test_ends_when_told_to(device):
    enough = threading.Event()

    def check():
        if enough.is_set():
            raise Cancelled("enough")

    threading.Timer(1.0, enough.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        device.measure(misbehaving.endless(), SETTINGS, check)
    assert time.monotonic() - started < 20
    assert device.measure(GOOD, SETTINGS, quietly).samples_ms
