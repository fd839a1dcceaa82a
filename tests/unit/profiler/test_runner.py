"""Programs on the phone are told every setting, or refuse it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from donna.errors import FailedPrecondition
from services.profiler.measurement import MeasurementSettings
from services.profiler.phones.runner import PerfTest, Template

SETTINGS = MeasurementSettings(provider="CPUExecutionProvider")
PLAIN = Template(
    template=("{model}", "{runs}"), sample="", unit="ms", providers=("CPUExecutionProvider", "X")
)
FULL = replace(PLAIN, template=(*PLAIN.template, "-t{threads}", "--on={provider}"))


def arguments(runner, **changed):
    return runner.arguments(replace(SETTINGS, **changed), model="m", result="r", runs=7)


@pytest.mark.parametrize(
    ("runner", "changed"),
    [
        (PerfTest(), {"affinity": (0,)}),
        (PerfTest(), {"per_layer": True}),
        (FULL, {"affinity": (0,)}),
        (FULL, {"provider_options": {"a": "b"}}),
        (FULL, {"per_layer": True}),
        (FULL, {"graph_optimization": "none"}),
        (PLAIN, {"threads": 2}),
        (PLAIN, {"provider": "X"}),
    ],
)
def test_a_setting_that_a_runner_does_not_know_is_refused(runner, changed):
    with pytest.raises(FailedPrecondition, match=f"settings.{next(iter(changed))}") as refused:
        arguments(runner, **changed)
    assert refused.value.reason == "UNMEASURABLE"


def test_a_template_is_filled_in():
    assert arguments(PLAIN) == ["m", "7"]
    assert arguments(FULL, threads=2, provider="X") == ["m", "7", "-t2", "--on=X"]
