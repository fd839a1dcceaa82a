"""Measurements counted before a run, against the searcher's own figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from donna.errors import InvalidArgument
from donna.pipeline import budget
from donna.pipeline.bounds import check_table
from donna.pipeline.spec import read_spec
from services.searcher.calibration import Plan
from services.searcher.refinement import MAX_ROUNDS
from services.searcher.survey import representatives
from tests.unit.predictor.spaces import library, random_tables

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"
TABLE = 1 + 4 * 12 + 12 + 8


@pytest.mark.parametrize("num_options", [(13, 13, 13, 13), (2,), (3, 384, 1, 7, 9, 2)])
def test_a_table_takes_what_the_searcher_says(num_options: tuple[int, ...]) -> None:
    macs = np.full((len(num_options), max(num_options)), np.nan)
    for row, count in zip(macs, num_options, strict=True):
        row[:count] = np.arange(count)
    assert budget.table_size(num_options) == Plan.of(macs, num_options, 0).size


def test_other_figures_are_the_searcher_s_too() -> None:
    assert budget.REFINEMENTS == MAX_ROUNDS
    assert len(representatives(library(random_tables(5, 8, seed=1)))) <= budget.LOOK


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ("search.seed=1", 96),
        ("search.max_measurements=20", 20),
        ("search.objectives=[accuracy, macs]", 0),
        ("search.latency=table", TABLE + 16),
        ("search.latency=table_refined", TABLE + 6 * 16),
    ],
)
def test_measurements_of_a_search(change: str, count: int) -> None:
    assert budget.searched(read_spec(DIGITS, [change]), [13] * 4) == count


def test_of_a_whole_run() -> None:
    spec = read_spec(DIGITS)
    assert budget.baselines(spec) == 13
    assert budget.looked_at(spec) == 0
    assert budget.looked_at(read_spec(DIGITS, ["search.bounds=[{metric: latency_ms, max: 1}]"])) == 5
    assert budget.models(spec) == 5 * 4
    assert budget.models(read_spec(DIGITS, ["finetune.int8=true"])) == 5 * 7


def test_too_few_measurements_for_a_table_are_refused_before_any_work() -> None:
    few = ["search.latency=table", f"search.max_measurements={TABLE}"]
    with pytest.raises(InvalidArgument, match=f"search.max_measurements: .* takes {TABLE} measurements"):
        check_table(read_spec(DIGITS, few), [13] * 4)
    check_table(read_spec(DIGITS, [*few, f"search.max_measurements={TABLE + 1}"]), [13] * 4)
    check_table(read_spec(DIGITS, few[1:]), [13] * 4)
