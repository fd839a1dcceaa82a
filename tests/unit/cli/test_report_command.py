"""`donna report` writes the page of a run again."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import InvalidArgument
from tests.unit.report import runs


def test_the_report_is_written_again(tmp_path: Path) -> None:
    result = runs.run_result()
    (tmp_path / "result.json").write_text(json.dumps(result))
    (tmp_path / "evaluations.csv").write_text(runs.evaluations_csv(result))
    done = CliRunner().invoke(build(), ["report", str(tmp_path), "--json"])
    assert json.loads(done.stdout)["size_bytes"] == (tmp_path / "report.html").stat().st_size
    assert "digits-3" in (tmp_path / "report.html").read_text()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_result_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"name": "x"}')
    _is_refused(tmp_path)


def test_evaluations_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(runs.run_result()))
    (tmp_path / "evaluations.csv").write_bytes(b"architecture,\xff\n")
    _is_refused(tmp_path)


def _is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(build(), ["report", str(tmp_path)])
    assert isinstance(done.exception, InvalidArgument)
    assert "lacks what the report needs" in done.exception.message
    assert not (tmp_path / "report.html").exists()
