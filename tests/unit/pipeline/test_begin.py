"""What a run does before its first job, and what it holds its bounds against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from donna.errors import DeadlineExceeded, DonnaError, FailedPrecondition, InvalidArgument, Unavailable
from donna.pipeline.display import Silence
from donna.pipeline.folder import RunFolder
from donna.pipeline.run import Run, begin
from donna.pipeline.spec import Spec, parse_spec
from donna.pipeline.work import Work
from donna.v1 import common_pb2, searcher_pb2
from tests.integration.conftest import TINY
from tests.unit.pipeline.test_ask import LOCAL, Services

LIBRARY = common_pb2.Artifact(sha256="b" * 64)
BOARD = searcher_pb2.SearchDevice(
    name="board", profiler="board", device="devices/cpu", kind="arm", reachable=True
)


class Heard(Silence):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def bounded(metric: str) -> Spec:
    bound = {"metric": metric, "max": 1e6, "device": "local" if metric == "latency_ms" else ""}
    tiny: dict[str, Any] = {**TINY}
    return parse_spec(tiny | {"search": tiny["search"] | {"bounds": [bound]}})


def check_bounds(tmp_path: Path, spec: Spec, refused: DonnaError | None) -> tuple[Any, list[str]]:
    services: Any = Services([])
    services.refused = {searcher_pb2.SearchSpec: refused} if refused else {}
    heard = Heard()
    Run(Work(services, spec, RunFolder(tmp_path, spec), heard, ["local"])).check_bounds(LIBRARY)
    return services, heard.said


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("device local does not answer"),
        DeadlineExceeded("the smallest networks were not measured within 45 s"),
        FailedPrecondition("device local is away", reason="DEVICE_AWAY"),
        FailedPrecondition("device local is at work", reason="DEVICE_BUSY"),
    ],
)
def test_a_device_that_is_away_leaves_its_bounds_to_the_search(tmp_path: Path, error: DonnaError) -> None:
    _, said = check_bounds(tmp_path, bounded("latency_ms"), error)
    assert said == [f"the search will check the bounds, for now: {error.message}"]


def test_what_else_is_refused_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="no such library"):
        check_bounds(tmp_path, bounded("latency_ms"), FailedPrecondition("no such library"))


def test_bounds_on_costs_ask_no_device(tmp_path: Path) -> None:
    services, said = check_bounds(tmp_path, bounded("macs"), None)
    assert not services.asked and not said


def test_a_run_that_goes_on_keeps_its_device(tmp_path: Path) -> None:
    """However many have joined since: its search would be another one."""
    spec, services = parse_spec(TINY), Services([])
    services.searched = lambda: [BOARD]  # type: ignore[method-assign]
    begun = begin(services, spec, RunFolder(tmp_path, spec), Silence())  # type: ignore[arg-type]
    services.searched = lambda: [BOARD, LOCAL]  # type: ignore[method-assign]
    again = begin(services, spec, RunFolder(tmp_path, spec), Silence())  # type: ignore[arg-type]
    assert begun.devices == again.devices == ["board"]
    assert again.spec == begun.spec and again.folder.run_id == begun.folder.run_id


def test_a_spec_that_is_refused_replaces_no_run(tmp_path: Path) -> None:
    spec, services = parse_spec(TINY), Services([])
    first = RunFolder(tmp_path, spec)
    first.keep_plan({}, "local")
    first.write_result({"name": "tiny"})
    services.refused = {searcher_pb2.SearchSpec: InvalidArgument.of("spec.latency_mode", "is wrong")}
    other = parse_spec({**TINY, "seed": 1})
    with pytest.raises(InvalidArgument):
        begin(services, other, RunFolder(tmp_path, other, overwrite=True), Silence())  # type: ignore[arg-type]
    assert RunFolder(tmp_path, spec).result() == {"name": "tiny"}
