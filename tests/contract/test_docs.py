"""What the documentation names exists: links, paths, make targets, commands, imports; the generated page is fresh."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from donna.cli.app import build
from donna.local import services

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "services", "deploy", "examples")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
TOP = {path.name for path in ROOT.iterdir()}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def inline(page: Path) -> list[str]:
    """Code inside sentences."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", without_python(page))


def blocks(page: Path) -> Iterator[str]:
    """Lines of indented and fenced blocks."""
    text = without_python(page)
    for line in text.splitlines():
        if line.startswith(("    ", "\t")):
            yield line.strip()
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()


def without_python(page: Path) -> str:
    return re.sub(r"```python\n.*?```", "", page.read_text(), flags=re.DOTALL)


def code(page: Path) -> list[str]:
    return [*inline(page), *blocks(page)]


def test_there_are_pages() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/method.md", "docs/architecture.md"} <= {
        name(page) for page in PAGES
    }


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_exist(page: Path) -> None:
    """Paths that start at one of our own top folders; not patterns, not what a run writes."""
    found = {
        text.rstrip("/")
        for text in code(page)
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text)
        and text.split("/")[0] in TOP - {"runs", ".donna", "models"}
    }
    missing = [
        path for path in sorted(found) if not any((base / path).exists() for base in (ROOT, page.parent))
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_installs_what_somebody_else_calls_donna(page: Path) -> None:
    """We are on no package index, and the name there is taken."""
    assert not [text for text in code(page) if re.search(r"pip install (?:-\S+ )*['\"]?donna\b(?!-\d)", text)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    named = {match for text in code(page) for match in re.findall(r"\bmake ([a-z][a-z0-9-]*)", text)}
    assert named <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_parse(page: Path) -> None:
    for words in commands(blocks(page)):
        command, rest = descend(words)
        command.make_context("donna", rest)  # raises for options and arguments that there are not
    for words in commands(inline(page)):
        if not words[0].startswith("-"):
            descend(words)


def commands(texts: Iterable[str]) -> Iterator[list[str]]:
    """The words after `donna` in texts that are a command line, with or without variables and a folder before."""
    for text in texts:
        found = re.fullmatch(r"(?:[A-Z_]+=\S+ )*(?:\S*/bin/)?donna ([a-z-].*)", text)
        if found:
            yield shlex.split(found[1], comments=True)


def descend(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and the words left for it."""
    command: Any = typer.main.get_command(build())
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"there is no command donna {' '.join(words)}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_imports_what_there_is(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in (
                "donna",
                "services",
            ):
                assert all(defines(node.module or "", alias.name) for alias in node.names), ast.unparse(node)


def defines(module: str, wanted: str) -> bool:
    """Whether our module has a name at its top, by its source."""
    stem = ROOT / Path(*module.split("."))
    path = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
    if (stem / f"{wanted}.py").exists() or (stem / wanted).is_dir():
        return True
    pattern = rf"^(?:class|def|from .*import.*)? ?\b{wanted}\b"
    return path.exists() and re.search(pattern, path.read_text(), re.MULTILINE) is not None


def test_the_page_of_the_contract_is_fresh() -> None:
    pytest.importorskip("grpc_tools")
    written = runpy.run_path(str(ROOT / "docs" / "contract.py"))
    assert written["PAGE"].read_text() == written["page"](), "run: make docs"


def test_every_file_of_the_method_is_named_once_with_its_mark() -> None:
    text = (ROOT / "docs" / "method.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|") and "](../" in line]
    files = [re.findall(r"\]\(\.\./([^)]+)\)", row[1]) for row in rows]
    assert len(rows) > 30 and all(len(named) == 1 for named in files)
    unmarked = [row[0] for row in rows if not re.search(r"\[(paper|known|ours)\]|standard", row[-1])]
    assert not unmarked
    named = [path for (path,) in files]
    assert len(named) == len(set(named))


def test_the_hooks_run_what_ci_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    run = re.findall(r"^make \S+", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert {hook["entry"] for hook in hooks} == set(run) - {
        "make test-chaos",
        "make test-compose",
        "make audit",
    }


def test_a_service_is_called_as_the_page_on_reflection_says(tmp_path: Path) -> None:
    """Every command of the page, in one shell after the other, against a service: it prints what the page shows."""
    if not Path(sys.executable).with_name("buf").exists():
        pytest.skip("buf-bin is not installed")
    page = (ROOT / "docs/how-to/call-without-generated-code.md").read_text()
    lines = [line[4:] for line in page.splitlines() if line.startswith("    ")]
    script, shown = "", []
    for line in lines:
        if line.startswith("$ "):
            script += f"{line[2:]}\necho END\n"
            shown.append("")
        else:
            shown[-1] += f"{line}\n"
    assert len(shown) > 3
    with services(tmp_path, only=["predictor"]) as client:
        script = script.replace("127.0.0.1:40113", client.endpoints.predictor)
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash"], input=script, env=environment, cwd=tmp_path, text=True, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    assert done.stdout.replace("}END", "}\nEND").split("END\n")[:-1] == shown
