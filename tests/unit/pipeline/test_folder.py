"""The output folder: the same run goes on, another is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from donna.errors import FailedPrecondition, InvalidArgument
from donna.pipeline.folder import RunFolder
from donna.pipeline.spec import read_spec

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"


def test_the_same_spec_is_the_same_run(tmp_path: Path) -> None:
    spec = read_spec(DIGITS)
    first = RunFolder(tmp_path / "out", spec)
    first.add_timing("library", 1.5)
    again = RunFolder(tmp_path / "out", spec)
    again.add_timing("library", 1.0)
    assert again.run_id == first.run_id
    assert RunFolder(tmp_path / "out", spec).timings_s == {"library": 2.5}
    assert RunFolder(tmp_path / "other", spec).run_id != first.run_id


def test_another_spec_is_refused_unless_told_to_overwrite(tmp_path: Path) -> None:
    first = RunFolder(tmp_path, read_spec(DIGITS))
    first.write_result({"name": "digits"})
    other = read_spec(DIGITS, ["seed=1"])
    with pytest.raises(FailedPrecondition, match="another spec"):
        RunFolder(tmp_path, other)
    assert first.result() == {"name": "digits"}
    replaced = RunFolder(tmp_path, other, overwrite=True)
    assert replaced.run_id != first.run_id
    assert replaced.result() is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgument, match="cannot be written"):
        RunFolder(tmp_path / "file" / "out", read_spec(DIGITS))
