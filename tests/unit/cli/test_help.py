"""Every command: help with an example that is a command, JSON for programs, and a light start."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from donna.cli.app import build

APP = build()
ROOT = typer.main.get_command(APP)


def commands(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, child in inner.items():
        yield from commands(child, (*path, name))


def find(path: tuple[str, ...]) -> Any:
    found: Any = ROOT
    for name in path:
        found = found.commands[name]
    return found


ALL = sorted(commands())


def test_there_is_a_command_for_every_phase() -> None:
    wanted = {
        "run", "plan", "report", "mlflow", "distill", "search", "finetune", "export", "profile", "devices", "up",
        "down", "status", "inspect reference", "inspect providers", "inspect dataset", "inspect space",
        "inspect library", "inspect predictor", "predictor sample", "predictor fit", "predictor predict", "jobs list",
        "jobs watch", "jobs cancel", "convert",
    }  # fmt: skip
    assert {" ".join(path) for path in ALL} == wanted


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_shows_an_example_that_parses(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(APP, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "Example:" in shown.output
    example = re.search(r"Example: `([^`]+)`", find(path).help or "")
    assert example, f"{path} has no example in its help"
    program, *words = shlex.split(example[1])
    assert program == "donna"
    assert tuple(words[: len(path)]) == path
    context = find(path).make_context(" ".join(path), words[len(path) :], resilient_parsing=False)
    assert context.params


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_speaks_json(path: tuple[str, ...]) -> None:
    assert any("--json" in option.opts for option in find(path).params)


def test_the_command_starts_light() -> None:
    heavy = "{'torch', 'numpy', 'grpc', 'sqlalchemy', 'matplotlib', 'pydantic', 'yaml'} & set(sys.modules)"
    code = f"import sys, donna.cli.app; print(sorted({heavy}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "number", "offered"), [("donna pre", 1, ["predictor"]), ("donna jobs c", 2, ["cancel"])]
)
def test_the_shell_completes_commands(words: str, number: int, offered: list[str]) -> None:
    asked = {"_DONNA_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    code = "import sys; sys.argv[0] = 'donna'; from donna.cli import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked}, timeout=60
    )
    assert shown.stdout.split() == offered, shown.stderr
