"""Accuracies that a user brings: every wrong line is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from donna.cli.samples import read_samples
from donna.errors import InvalidArgument
from donna.space import Architecture
from tests.unit.predictor.spaces import library

SPACE = library([np.array([0.1, 0.2]), np.array([0.1, 0.2, 0.3])])


def test_columns_may_be_in_any_order_beside_others(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    file.write_text("note,accuracy,architecture\nfirst,0.91,1-2\n,0.5,0-0\n")
    assert read_samples(file, SPACE) == [
        (Architecture(choices=(1, 2)), 0.91),
        (Architecture(choices=(0, 0)), 0.5),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("architecture,top1\n0-0,0.5\n", "lacks the column accuracy"),
        ("architecture,accuracy\n0-0,0.5\n0-3,0.5\n", "line 3: "),
        ("architecture,accuracy\n0-0-0,0.5\n", "line 2: "),
        ("architecture,accuracy\n0-0,91\n", r"accuracy must be a number in \[0, 1\], got '91'"),
        ("architecture,accuracy\n0-0,\n", "accuracy must be a number"),
        ("architecture,accuracy\n0-0,nan\n", "accuracy must be a number"),
        ("architecture,accuracy\n,0.5\n", "line 2: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "samples.csv"
    file.write_text(text)
    with pytest.raises(InvalidArgument, match=sentence):
        read_samples(file, SPACE)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_samples(tmp_path / "none.csv", SPACE)
