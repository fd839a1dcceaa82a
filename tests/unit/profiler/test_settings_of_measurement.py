"""Settings of a measurement: ranges, round trips, and what belongs to the cache key; how samples are kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from donna.errors import InvalidArgument
from services.profiler.measurement import (
    MeasurementSettings,
    cache_key,
    fragments_sha256,
    packed,
    unpacked,
)

DEFAULT = MeasurementSettings()


def test_the_contract_says_what_a_zero_means():
    proto = (Path(__file__).parents[3] / "protos/donna/v1/common.proto").read_text()
    message = proto.partition("message MeasurementSettings {")[2].partition("}")[0]
    found = re.findall(r"; 0 means ([\d.]+)\.\n +\w+ (\w+) =", message)
    told = {name: float(value) for value, name in found}
    counts = {name: value for name, value in DEFAULT.to_json().items() if type(value) in (int, float)}
    assert told == counts


def test_json_round_trip():
    settings = MeasurementSettings(affinity=(0, 3), provider_options={"a": "b"}, per_layer=True)
    assert MeasurementSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"batch_size": -1}, "settings.batch_size"),
        ({"threads": 0}, "settings.threads"),
        ({"warmup_runs": -3}, "settings.warmup_runs"),
        ({"min_runs": 50, "max_runs": 10}, "settings.min_runs"),
        ({"relative_ci_width": 0.0}, "settings.relative_ci_width"),
        ({"relative_ci_width": float("nan")}, "settings.relative_ci_width"),
        ({"deadline_ms": 1.0}, "settings.deadline_ms"),
        ({"memory_limit_bytes": 10}, "settings.memory_limit_bytes"),
        ({"max_repeats": 1000}, "settings.max_repeats"),
        ({"graph_optimization": "fast"}, "settings.graph_optimization"),
        ({"affinity": (0, 0)}, "settings.affinity"),
        ({"affinity": (-1,)}, "settings.affinity"),
    ],
)
def test_out_of_range_names_the_field(changed, field):
    with pytest.raises(InvalidArgument) as caught:
        replace(DEFAULT, **changed).check()
    assert [violation.field for violation in caught.value.violations] == [field]


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(InvalidArgument) as caught:
        replace(DEFAULT, batch_size=0, threads=-2).check()
    assert {v.field for v in caught.value.violations} == {"settings.batch_size", "settings.threads"}


def test_the_defaults_are_fine():
    DEFAULT.check()


def test_everything_that_can_change_a_figure_changes_the_key():
    keys = {cache_key("m", "f", DEFAULT), cache_key("n", "f", DEFAULT), cache_key("m", "g", DEFAULT)}
    changes = {
        "batch_size": 2,
        "threads": 2,
        "provider": "X",
        "provider_options": {"a": "b"},
        "warmup_runs": 1,
        "min_runs": 1,
        "max_runs": 99,
        "min_time_ms": 1.0,
        "relative_ci_width": 0.5,
        "affinity": (1,),
        "per_layer": True,
        "max_repeats": 9,
        "graph_optimization": "none",
    }
    assert set(changes) | {"deadline_ms", "memory_limit_bytes"} == set(DEFAULT.to_json())
    keys |= {cache_key("m", "f", replace(DEFAULT, **{name: value})) for name, value in changes.items()}
    assert len(keys) == 3 + len(changes)
    same = replace(DEFAULT, deadline_ms=500.0, memory_limit_bytes=1 << 30)
    assert cache_key("m", "f", same) == cache_key("m", "f", DEFAULT)


def test_the_order_of_fragments_matters():
    assert fragments_sha256(("a", "b")) != fragments_sha256(("b", "a"))


def test_samples_are_kept_to_the_bit():
    samples = [*np.random.default_rng(0).uniform(0, 9, 1000).tolist(), 0.1, 1 / 3, 5e-324]
    assert unpacked(packed(samples)) == samples
    assert unpacked(packed([])) == []
    assert unpacked([0.5, 1.0]) == [0.5, 1.0], "as they were kept before"
