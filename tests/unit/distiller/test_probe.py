"""The probe behind a plan's time: a fair sample, real steps, an origin that says what was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition
from donna.nets.costs import Costs
from donna.space import Option
from services.distiller import probe as probing
from services.distiller.admission import block_keys
from services.distiller.materials import Materials
from services.distiller.probe import Pace, probe, sample
from services.distiller.request import Request
from services.distiller.variants import Variant, variants

from .conftest import REQUEST


def sized(macs: int) -> Variant:
    costs = Costs(parameters=0, macs=macs, weight_bytes=0, activation_bytes=0)
    return Variant(n=0, m=0, option=Option.of("skip"), key="", costs=costs, kept_bytes=0)


def test_the_sample_spans_the_sizes_and_stands_for_their_mean() -> None:
    many = [sized(macs) for macs in (37 * i % 801 for i in range(800))]
    chosen = [variant.costs.macs for variant in sample(many)]
    assert len(chosen) == probing.SAMPLE
    assert chosen == sorted(chosen)
    mean = sum(v.costs.macs for v in many) / len(many)
    assert sum(chosen) / len(chosen) == pytest.approx(mean, rel=0.02)
    assert len(sample(many[:3])) == 3


def test_the_estimate_adds_up() -> None:
    pace = Pace(step_s=0.5, pass_s=0.25, store_s=2.0, origin="")
    assert pace.estimate_s(blocks=4, steps=10, passes=20, measured_batches=6) == 4 * (5 + 1 + 2) + 5


def test_large_blocks_are_probed_with_fewer_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request.parse(REQUEST)
    material = Materials(ArtifactStore(tmp_path), None).load(request)
    found = variants(material.cut, request.options, block_keys(material, request))
    whole = probe(found, material, request.recipe, device="cpu", threads=2)
    assert whole.origin == "measured: 2 steps of 8 of 16 blocks on 2 threads of a CPU"
    assert min(whole.step_s, whole.pass_s, whole.store_s) > 0
    monkeypatch.setitem(probing.MACS_OF_A_STEP, "cpu", 1)
    cut_short = probe(found, material, request.recipe, device="cpu", threads=2)
    assert cut_short.origin.endswith(", batches of 2 scaled up to 32")


def test_a_block_that_cannot_be_exported_costs_nothing_to_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will be left out of its library, with its reason: no reason to refuse the library."""

    def refused(*_: object) -> None:
        raise FailedPrecondition("no exporter gives the network's own outputs")

    monkeypatch.setattr(probing, "finish", refused)
    request = Request.parse(REQUEST)
    material = Materials(ArtifactStore(tmp_path), None).load(request)
    found = variants(material.cut, request.options, block_keys(material, request))
    pace = probe(found[:1], material, request.recipe, device="cpu", threads=1)
    assert pace.store_s == 0
    assert pace.pass_s > 0
