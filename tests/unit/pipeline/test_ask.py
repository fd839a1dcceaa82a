"""What the services are asked before a run, and in whose words they refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from donna.client import JobFailed
from donna.errors import InvalidArgument, Unavailable
from donna.pipeline.ask import ask, measurement_s, place
from donna.pipeline.display import Silence
from donna.pipeline.spec import parse_spec
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, profiler_pb2, searcher_pb2
from tests.integration.conftest import TINY

SETTINGS = common_pb2.MeasurementSettings()
LOCAL = searcher_pb2.SearchDevice(name="local", profiler="local", device="devices/cpu", reachable=True)
WEIGHTS = common_pb2.Artifact(sha256="a" * 64)


def measured(seconds: int, *, device: str = "devices/cpu", state: int = 4, fresh: int = 1) -> Any:
    """A measurement that took so long."""
    job = common_pb2.Job(state=state, cost=common_pb2.Cost(measurements=fresh))  # type: ignore[arg-type]
    found = profiler_pb2.Measurement(device=device, job=job)
    found.job.start_time.FromSeconds(100)
    found.job.end_time.FromSeconds(100 + seconds)
    return found


class Services:
    """A client of services that agree to everything; `refused` is what one of them does not."""

    def __init__(self, known: list[Any], *, reused: bool = False) -> None:
        self.devices = self
        self.known, self.reused = known, reused
        self.refused: dict[type, Exception] = {}
        self.asked: list[Any] = []
        self.measurements = 0

    def searched(self) -> list[searcher_pb2.SearchDevice]:
        return [LOCAL]

    def find(self, name: str) -> searcher_pb2.SearchDevice:
        return LOCAL

    def profiler(self, device: Any) -> Any:
        return SimpleNamespace(
            ListMeasurements=lambda _: profiler_pb2.ListMeasurementsResponse(measurements=self.known)
        )

    def check(self, device: str, onnx: bytes, settings: Any) -> None:
        if (error := self.refused.get(common_pb2.MeasurementSettings)) is not None:
            raise error

    def measure(self, *_: Any, **__: Any) -> None:
        self.measurements += 1
        if (error := self.refused.get(profiler_pb2.Measurement)) is not None:
            raise error

    def create(self, spec: Any, *, validate_only: bool) -> Any:
        assert validate_only
        self.asked.append(spec)
        if (error := self.refused.get(type(spec))) is not None:
            raise error
        if isinstance(spec, finetuner_pb2.FinetuneSpec):
            plan = finetuner_pb2.FinetunePlan(networks_to_reuse=int(self.reused))
            network = finetuner_pb2.FinetunedNetwork(weights=WEIGHTS, reused=True)
            return finetuner_pb2.FinetuneJob(plan=plan, networks=[network] if self.reused else [])
        if isinstance(spec, distiller_pb2.BlockLibrarySpec):
            return distiller_pb2.BlockLibrary(num_architectures="25", num_options=[5, 5])
        return searcher_pb2.Search()


def plan_of(services: Any, **changed: Any) -> Any:
    spec = parse_spec({**TINY, **changed})
    return ask(services, place(services, spec), Silence())


def test_a_device_tells_how_long_it_took() -> None:
    known = [measured(2), measured(3), measured(9)]
    others = [measured(50, state=5), measured(0, fresh=0), measured(70, device="devices/gpu")]
    services: Any = Services([*known, *others])
    assert measurement_s(services, "local", SETTINGS) == 3.0
    assert services.measurements == 0


def test_where_too_little_is_known_one_is_timed() -> None:
    services: Any = Services([measured(50)])
    found = measurement_s(services, "local", SETTINGS)
    assert found is not None and found < 1.0 and services.measurements == 2
    for error in (Unavailable("away"), JobFailed("the device was lost")):
        services.refused = {profiler_pb2.Measurement: error}
        assert measurement_s(services, "local", SETTINGS) is None


@pytest.mark.parametrize("reused", [False, True])
def test_blocks_of_a_reference_that_was_trained_are_asked_for_by_its_weights(reused: bool) -> None:
    services = Services([], reused=reused)
    found = plan_of(services)
    (library,) = [spec for spec in services.asked if isinstance(spec, distiller_pb2.BlockLibrarySpec)]
    assert library.reference.weights == (WEIGHTS if reused else common_pb2.Artifact())
    assert found.phases[0].work["networks"] == (0 if reused else 1)


@pytest.mark.parametrize(
    ("asked", "field", "place_in_spec"),
    [
        (searcher_pb2.SearchSpec, "spec.latency_mode", "search.latency"),
        (searcher_pb2.SearchSpec, "spec.objectives[0].device", r"search.objectives\[0\].device"),
        (common_pb2.MeasurementSettings, "settings.provider", "search.measurement.provider"),
        (finetuner_pb2.FinetuneSpec, "recipe.optimizer", "reference.train.optimizer"),
        (distiller_pb2.BlockLibrarySpec, "recipe.epochs", "distillation.epochs"),
        (distiller_pb2.BlockLibrarySpec, "blocks[0].options[2]", r"space.blocks\[0\].options\[2\]"),
        (distiller_pb2.BlockLibrarySpec, "dataset.provider", "dataset.provider"),
    ],
)
def test_what_is_refused_is_named_by_its_place_in_the_spec(
    asked: type, field: str, place_in_spec: str
) -> None:
    services = Services([])
    services.refused = {asked: InvalidArgument.of(field, "is wrong")}
    with pytest.raises(InvalidArgument, match=f"^{place_in_spec}: is wrong"):
        plan_of(services)


def test_the_search_is_refused_first() -> None:
    """Before the finetuner and the distiller load anything."""
    services = Services([])
    services.refused = {searcher_pb2.SearchSpec: InvalidArgument.of("spec.latency_mode", "is wrong")}
    with pytest.raises(InvalidArgument):
        plan_of(services)
    assert len(services.asked) == 1 and not services.measurements
