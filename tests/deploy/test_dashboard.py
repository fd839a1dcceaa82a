"""The dashboard asks for nothing that no service tells, and leaves out nothing that one does."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from donna.jobs import JobStore
from donna.jobs.database import open_database
from donna.telemetry.metrics import Metrics
from services.predictor.telemetry import ShelfMetrics
from services.profiler.description import Descriptions
from services.profiler.telemetry import DeviceMetrics
from services.searcher.telemetry import HubMetrics
from tests.contract.import_rules import modules
from tests.deploy.rendered import ROOT

DASHBOARD = json.loads((ROOT / "deploy/k8s/components/monitoring/dashboard.json").read_text())
OWN = {
    "predictor": ShelfMetrics(SimpleNamespace(hits=0, misses=0)),
    "profiler": DeviceMetrics([], Descriptions([]), SimpleNamespace(), SimpleNamespace()),
    "searcher": HubMetrics(SimpleNamespace(attached=dict)),
}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The kind of every metric that services tell, by its name."""
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    metrics = Metrics("any", JobStore(engine), ["searches"], [*OWN.values()])
    yield {family.name: family.type for family in metrics.registry.collect()}
    engine.dispose()


def expressions(panels: list[dict[str, Any]] = DASHBOARD["panels"]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def family(name: str, told: dict[str, str]) -> str:
    """What a name in a query belongs to: counters and histograms add to their own."""
    for suffix in ("_total", "_bucket", "_count", "_sum"):
        if told.get(name.removesuffix(suffix)) in ("counter", "histogram"):
            return name.removesuffix(suffix)
    return name


def test_every_metric_of_the_dashboard_is_told_by_a_service(told: dict[str, str]) -> None:
    asked = {name for text in expressions() for name in re.findall(r"\b(\w+)\{", text)}
    assert len(asked) > 15
    assert {family(name, told) for name in asked} <= set(told)
    for name in asked:
        counted = told[family(name, told)] == "counter"
        assert name.endswith("_total") == counted, f"{name} is a {told[family(name, told)]}"


def test_every_metric_of_ours_is_on_the_dashboard(told: dict[str, str]) -> None:
    shown = " ".join(expressions())
    ours = [name for name in told if name.startswith(("donna_", "grpc_"))]
    left_out = [name for name in ours if not re.search(rf"\b{name}(_total|_bucket)?\{{", shown)]
    assert left_out == ["donna_reference_passes", "donna_device_seconds"]


def test_every_collector_of_a_service_is_looked_at_here() -> None:
    found = {
        module.split(".")[1] for module in modules() if module.endswith(".telemetry") and "services" in module
    }
    assert found == set(OWN)


def test_panels_do_not_lie_on_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert all(
        panel["type"] == "row" or "$namespace" in text["expr"]
        for panel in DASHBOARD["panels"]
        for text in panel.get("targets", [])
    )
