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
    first.keep_plan({}, "local")
    first.add_timing("library", 1.5)
    again = RunFolder(tmp_path / "out", spec)
    again.add_timing("library", 1.0)
    assert again.run_id == first.run_id
    assert RunFolder(tmp_path / "out", spec).timings_s == {"library": 2.5}
    assert RunFolder(tmp_path / "other", spec).run_id != first.run_id


def test_another_spec_is_refused_unless_told_to_overwrite(tmp_path: Path) -> None:
    first = RunFolder(tmp_path, read_spec(DIGITS))
    first.keep_plan({}, "local")
    first.write_result({"name": "digits"})
    other = read_spec(DIGITS, ["seed=1"])
    with pytest.raises(FailedPrecondition, match="another spec"):
        RunFolder(tmp_path, other)
    assert first.result() == {"name": "digits"}
    replaced = RunFolder(tmp_path, other, overwrite=True)
    assert replaced.run_id != first.run_id
    assert replaced.result() is None


def test_what_another_run_has_left_goes(tmp_path: Path) -> None:
    first = RunFolder(tmp_path, read_spec(DIGITS))
    first.keep_plan({}, "local")
    first.write("models/digits-3.onnx", b"an old winner")
    first.write_result({"name": "digits"})
    for name in ("front.csv", "report.html"):
        (tmp_path / name).write_text("old")
    (tmp_path / "notes.txt").write_text("the user's own")
    other = RunFolder(tmp_path, read_spec(DIGITS, ["seed=1"]), overwrite=True)
    other.add_timing("check", 1.0)
    assert RunFolder(tmp_path, read_spec(DIGITS)).result() == {"name": "digits"}  # until the other is checked
    other.keep_plan({}, "local")
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"run.json", "spec.yaml", "notes.txt"}


def test_a_run_is_checked_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, read_spec(DIGITS))
    assert not folder.checked
    folder.keep_plan({"library": 1.23456}, "t4")
    again = RunFolder(tmp_path, read_spec(DIGITS))
    assert again.checked and again.planned_s == {"library": 1.235} and again.default_device == "t4"


def test_a_folder_is_not_taken_by_a_spec_that_is_refused(tmp_path: Path) -> None:
    RunFolder(tmp_path, read_spec(DIGITS)).add_timing("check", 1.0)
    assert not RunFolder(tmp_path, read_spec(DIGITS, ["seed=1"])).checked


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"run_id": "1"}'])
def test_a_file_that_is_no_run_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InvalidArgument, match=r"run\.json is not a file of a run"):
        RunFolder(tmp_path, read_spec(DIGITS))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgument, match="cannot be written"):
        RunFolder(tmp_path / "file" / "out", read_spec(DIGITS))
