"""What went wrong, as a number: 2 change the input, 3 the work failed."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from donna import errors
from donna.cli import exit_code, main
from donna.client import JobFailed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidArgument("x"), 2),
        (errors.FailedPrecondition("x"), 2),
        (errors.NotFound("x"), 2),
        (errors.Unauthenticated("x"), 2),
        (errors.PermissionDenied("x"), 2),
        (JobFailed("x"), 3),
        (errors.Unavailable("x"), 3),
        (errors.Internal("x"), 3),
    ],
)
def test_exit_codes(error: errors.DonnaError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.json"), 2, "x.json: No such file"),
        (PermissionError(errno.EACCES, "Permission denied", "x.json"), 2, "x.json: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "No space left on device"),
    ],
)
def test_the_system_s_errors_are_sentences_too(
    error: OSError,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("donna.cli.app.build", lambda: lambda **_: fail())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert capsys.readouterr().err.startswith(f"donna: {sentence}")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["distill", "{spec}", "--output", "/no/folder/x.json"],
            "--output: /no/folder/x.json cannot be written",
        ),
        (
            ["finetune", "{spec}", "0-0", "--library", "x", "--output", "{spec}"],
            "--output: {spec} cannot be made",
        ),
        (["export", "finetuneJobs/1", "--output", "/proc/models"], "--output: /proc/models cannot be made"),
        (["jobs", "list", "--state", "/proc/state"], "--state: /proc/state cannot be written"),
        (["up", "--state", "/proc/state"], "--state: /proc/state cannot be written"),
        (
            ["distill", "{spec}", "--set", "dataset.arguments={{a: 2024-01-01}}", "--state", "{tmp}/s"],
            "dataset.arguments: 2024-01-01 is a date",
        ),
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = str(Path(__file__).parents[3] / "examples" / "digits.yaml")
    filled = [word.format(spec=spec, tmp=tmp_path) for word in words]
    monkeypatch.setattr(sys, "argv", ["donna", *filled])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert sentence.format(spec=spec) in capsys.readouterr().err
