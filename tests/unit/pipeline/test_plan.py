"""Plans: work from the spec, time from what was measured, unknown where nothing was; and how far off they were."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from donna.cli.plan import as_json, duration, print_plan
from donna.pipeline.plan import Plan, earlier, make_plan, measurement_s, measurements, recipes
from donna.pipeline.spec import read_spec
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, profiler_pb2

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"


def planned(*changes: str, estimated_s: float = 60.0, measured_s: float | None = 0.5) -> Plan:
    spec = read_spec(DIGITS, changes)
    sizes = distiller_pb2.CostRange(metric=common_pb2.METRIC_MODEL_BYTES, smallest=1000, largest=3000)
    library = distiller_pb2.BlockLibrary(
        num_architectures="28561",
        num_options=[13] * 4,
        plan=distiller_pb2.DistillationPlan(
            blocks_to_train=52, estimated_s=estimated_s, estimated_memory_bytes=1 << 20, costs=[sizes]
        ),
    )
    steps = finetuner_pb2.FinetunePlan(networks_to_train=1, estimated_s=4.0, estimated_from="5 steps")
    trained = {phase: finetuner_pb2.FinetuneJob(plan=steps) for phase, _ in recipes(spec)}
    return make_plan(spec, library, trained, measured_s)


def seconds(plan: Plan) -> dict[str, float | None]:
    return {phase.name: phase.seconds for phase in plan.phases}


def test_time_is_the_pace_that_was_measured_times_the_work() -> None:
    found = planned()
    assert seconds(found) == {
        "reference": 4,
        "library": 60,
        "samples": 38 * 4,
        "search": 96 * 0.5,
        "finetune": 12,
    }
    work = {phase.name: dict(phase.work) for phase in found.phases}
    assert work["library"]["block_epochs"] == 52 * 12
    assert work["samples"] == {"networks": 38, "network_epochs": 38}
    assert found.disk_bytes == 2 * 13 * 2000


def test_what_nothing_was_measured_for_is_unknown_not_nothing() -> None:
    found = planned(estimated_s=0.0, measured_s=None)
    assert (seconds(found)["library"], seconds(found)["search"]) == (None, None)
    assert seconds(planned("search.objectives=[accuracy, macs]", measured_s=None))["search"] == 0.0


def test_more_workers_help_where_they_can() -> None:
    assert planned().scaled(4, 10.0) == {
        "reference": 0.4,
        "library": 1.5,
        "samples": 3.8,
        "search": 48.0,
        "finetune": 0.3,
    }


@pytest.mark.parametrize(
    ("change", "count"),
    [("search.seed=1", 96), ("search.max_measurements=20", 20), ("search.latency=table_refined", 16)],
)
def test_measurements_of_a_search(change: str, count: int) -> None:
    assert measurements(read_spec(DIGITS, [change])) == count


def test_a_device_tells_how_long_it_took() -> None:
    def measurement(seconds: int, state: int = common_pb2.JOB_STATE_SUCCEEDED, fresh: int = 1) -> Any:
        found = profiler_pb2.Measurement(
            job=common_pb2.Job(state=state, cost=common_pb2.Cost(measurements=fresh))  # type: ignore[arg-type]
        )
        found.job.start_time.FromSeconds(100)
        found.job.end_time.FromSeconds(100 + seconds)
        return found

    known = [measurement(2), measurement(3), measurement(9)]
    others = [measurement(50, state=common_pb2.JOB_STATE_FAILED), measurement(0, fresh=0)]
    profiler = SimpleNamespace(
        ListMeasurements=lambda _: profiler_pb2.ListMeasurementsResponse(measurements=[*known, *others])
    )
    client: Any = SimpleNamespace(profilers={"local": profiler})
    assert measurement_s(client, "local") == 3.0
    assert measurement_s(client, "phone") is None
    known.pop()
    assert measurement_s(client, "local") is None


def test_earlier_runs_tell_planned_beside_actual(tmp_path: Path) -> None:
    for number, result in enumerate(
        [
            {"timings_s": {"library": 66.0, "search": 10.0, "total": 80.0}, "planned_s": {"library": 60.0}},
            {"timings_s": {"library": 66.0}},
            {"planned_s": {"library": 1.0}},
            {"timings_s": {"library": 70.0}, "planned_s": {"library": 65.0, "gone": 1.0}},
        ]
    ):
        path = tmp_path / f"run{number}" / "result.json"
        path.parent.mkdir()
        path.write_text(json.dumps(result))
        os.utime(path, (number, number))
    assert [(run["run"][-4:], run["planned_s"], run["actual_s"]) for run in earlier(tmp_path)] == [
        ("run3", {"library": 65.0}, {"library": 70.0}),
        ("run0", {"library": 60.0}, {"library": 66.0}),
    ]
    assert earlier(tmp_path / "nowhere") == []


def test_it_is_told_to_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(measured_s=None)
    times = found.scaled(1, 1.0)
    known = [{"run": "runs/a", "planned_s": {"library": 60.0}, "actual_s": {"library": 66.0}}]
    print_plan("digits", found, times, known, elsewhere=False)
    text = " ".join(capsys.readouterr().out.split())
    assert "28,561 networks" in text and "more than 4 min" in text
    assert "Nothing was measured for search yet" in text
    assert "runs/a was planned with 1 min and took 1 min: library 1 min for 1 min." in text
    value = json.loads(json.dumps(as_json(found, times, known)))
    assert value["phases"]["search"] == {
        "measurements_at_most": 96,
        "seconds": None,
        "from": "measurements of this device so far",
    }
    assert value["seconds"] == 4 + 60 + 152 + 12


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (0.0, "0 s"), (2.34, "2.3 s"), (12.4, "12 s"), (150.0, "2 min"), (19_200.0, "5 h 20 min")],
)
def test_durations(value: float | None, text: str) -> None:
    assert duration(value) == text
