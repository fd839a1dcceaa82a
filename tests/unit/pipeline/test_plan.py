"""Plans: work from the spec, time from what was measured, unknown where nothing was; and how far off they were."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from donna.cli.plan import as_json, print_plan
from donna.pipeline.duration import duration
from donna.pipeline.earlier import earlier
from donna.pipeline.plan import Plan, make_plan, recipes
from donna.pipeline.spec import read_spec
from donna.pipeline.turns import ROUNDS
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"


def planned(
    *changes: str,
    estimated_s: float = 60.0,
    measured_s: dict[str, float | None] | None = None,
    workers: int = 1,
    known: bool = False,
) -> Plan:
    spec = read_spec(DIGITS, changes)
    sizes = distiller_pb2.CostRange(metric=common_pb2.METRIC_MODEL_BYTES, smallest=1000, largest=3000)
    library = distiller_pb2.BlockLibrary(
        num_architectures="28561",
        num_options=[13] * 4,
        plan=distiller_pb2.DistillationPlan(
            blocks_to_train=52, estimated_s=estimated_s, estimated_memory_bytes=1 << 20, costs=[sizes]
        ),
    )
    steps = finetuner_pb2.FinetunePlan(
        networks_to_train=1, estimated_s=4.0, estimated_from="5 steps", workers=workers
    )
    trained = {phase: finetuner_pb2.FinetuneJob(plan=steps) for phase, _ in recipes(spec)}
    if known:
        trained["reference"] = finetuner_pb2.FinetuneJob(plan=finetuner_pb2.FinetunePlan(networks_to_reuse=1))
    return make_plan(spec, library, trained, {"local": 0.5} if measured_s is None else measured_s)


def test_time_is_the_pace_that_was_measured_times_the_work() -> None:
    found = planned()
    assert found.seconds() == {
        "reference": 4 + 0.5,
        "library": pytest.approx(60),
        "samples": 38 * 4,
        "search": (96 + ROUNDS) * 0.5,  # the reference is measured beside the front
        "baselines": 13 * 0.5,
        "finetune": 12,
        "measure": 4 * ROUNDS * 0.5,
    }
    work = {phase.name: dict(phase.work) for phase in found.phases}
    assert work["library"]["block_epochs"] == 52 * 12
    assert work["samples"] == {"networks": 38, "network_epochs": 38}
    # 13 options twice, as weights and as fragments; 38 samples; reference and winners with their models.
    assert found.disk_bytes == 2000 * (2 * 13 + 38 + 2 * 4)


def test_what_nothing_was_measured_for_is_unknown_not_nothing() -> None:
    seconds = planned(estimated_s=0.0, measured_s={"local": None}).seconds()
    assert [phase for phase, s in seconds.items() if s is None] == [
        "reference", "library", "search", "baselines", "measure",
    ]  # fmt: skip
    assert planned("search.objectives=[accuracy, macs]", measured_s={}).seconds()["search"] == 0.0


def test_what_is_known_is_not_planned_again() -> None:
    found = planned(known=True)
    assert found.phases[0].work == {"networks": 0, "network_epochs": 0}
    assert found.seconds()["reference"] == 0.5  # it is measured all the same
    source = ["reference={provider: torchvision, arguments: {name: resnet18, weights: library}}"]
    assert "reference" not in dict(recipes(read_spec(DIGITS, source)))
    assert planned(*source).seconds()["reference"] == 0.5


def test_workers_take_whole_networks() -> None:
    """Three winners on eight workers take as long as one, and 38 samples five turns."""
    faster = planned().seconds(8, 10.0)
    assert faster["finetune"] == pytest.approx(0.4)
    assert faster["samples"] == pytest.approx(5 * 0.4)
    assert faster["library"] == pytest.approx(7 * (60 / 52) / 10)
    assert faster["reference"] == pytest.approx(0.4 + 0.5)
    assert faster["search"] == (96 + ROUNDS) * 0.5
    assert planned(workers=2).seconds()["samples"] == 19 * 4  # those that there are


def test_devices_measure_a_search_at_once_and_models_in_turns() -> None:
    found = planned(measured_s={"local": 0.5, "phone": 2.0})
    assert (found.seconds()["search"], found.seconds()["measure"]) == (96 * 2.0 + ROUNDS * 2.5, 20 * 2.5)
    work = {phase.name: dict(phase.work) for phase in found.phases}
    assert work["search"] == {"measurements_at_most": 2 * (96 + ROUNDS)}


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
    found = planned(measured_s={"local": None})
    times = found.seconds()
    known = [{"run": "runs/a", "planned_s": {"library": 60.0}, "actual_s": {"library": 66.0}}]
    print_plan("digits", found, times, known, elsewhere=False)
    text = " ".join(capsys.readouterr().out.split())
    assert "28,561 networks" in text and "more than 4 min" in text
    assert "Nothing was measured for reference, search, baselines, measure yet" in text
    assert "5 steps, at the pace of the reference" in text
    assert "runs/a was planned with 1 min and took 1 min: library 1 min for 1 min." in text
    value = json.loads(json.dumps(as_json(found, times, known)))
    assert value["phases"]["search"] == {
        "measurements_at_most": 96 + ROUNDS,
        "seconds": None,
        "from": "measurements on the devices",
    }
    assert value["seconds"] == 60 + 152 + 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "?"),
        (0.0, "0 s"),
        (2.34, "2.3 s"),
        (12.4, "12 s"),
        (150.0, "2 min"),
        (19_200.0, "5 h 20 min"),
        (360_000.0, "4.2 days"),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    assert duration(value) == text
