"""The command: one sentence and the right exit code, before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"


def donna(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "donna.cli", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "missing.yaml"], "missing.yaml: cannot be read"),
        (["run", str(DIGITS), "--set", "distillation.epochs=-1"], "distillation.epochs: "),
        (["run", str(DIGITS), "--output", "/proc/runs"], "--output: /proc/runs cannot be written"),
        (["run", str(DIGITS), "--endpoint", "distiler=x:1"], "--endpoint: 'distiler' is no service"),
        (["run"], "Missing argument"),
        (["fly"], "No such command"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    if "run" in arguments and "--output" not in arguments and len(arguments) > 2:
        arguments = [*arguments, "--output", str(tmp_path / "out")]
    ended = donna(*arguments)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_version() -> None:
    assert donna("--version").stdout.startswith("donna 0.")
