"""What the documentation shows is run: its Python, its YAML, the heads of the examples."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from donna.cli.config import ConfigFile
from donna.data import registry
from donna.pipeline.spec import Spec, parse_spec
from tests.contract.test_docs import PAGES, ROOT, commands, descend
from tests.integration.conftest import TINY

EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
DIGITS = yaml.safe_load((ROOT / "examples" / "digits.yaml").read_text())


def shown(page: Path) -> Iterator[dict[str, Any]]:
    """The mappings among the indented blocks of a page that are sections of a spec or of the configuration file."""
    for block in re.findall(r"(?:^ {4,}.*\n|^\n(?= {4}))+", page.read_text(), re.MULTILINE):
        try:
            found = yaml.safe_load(textwrap.dedent(block))
        except yaml.YAMLError:
            continue
        if isinstance(found, dict):
            yield found


def test_yaml_on_the_pages_is_what_we_read() -> None:
    sections: set[str] = set()
    for page in PAGES:
        for found in shown(page):
            if set(found) <= set(ConfigFile.model_fields):
                ConfigFile.model_validate(found)
            elif set(found) <= {"options"}:
                parse_spec(DIGITS | {"space": DIGITS["space"] | found})
            elif set(found) & set(Spec.model_fields):
                spec = parse_spec(DIGITS | found)
                registry.provider(spec.dataset.provider).check(spec.dataset.arguments)
            else:
                continue
            sections |= set(found)
    assert {"reference", "dataset", "search", "options", "endpoints"} <= sections


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_commands_at_the_head_of_an_example_are_there(example: Path) -> None:
    head = example.read_text().split("\nname:")[0]
    lines = [line.removeprefix("#").strip() for line in head.splitlines()]
    for words in commands(lines):
        command, rest = descend(words)
        command.make_context("donna", rest)


def python(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_family_of_the_page_builds_a_block() -> None:
    torch = pytest.importorskip("torch")
    from donna.nets.families.family import Place

    (block,) = python(ROOT / "docs/how-to/add-a-block-family.md")
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - it is our own page
    place = Place(input_shape=(4, 8, 8), output_shape=(6, 4, 4), reference_block=None, field="block")
    built = names["PLAIN"].build(place, kernel=3)
    assert built(torch.zeros(2, 4, 8, 8)).shape == (2, 6, 4, 4)


@pytest.mark.slow
def test_the_python_of_the_readme_goes_from_a_spec_to_models(tmp_path: Path) -> None:
    """As it stands there, on a spec of that name that is small."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "digits.yaml").write_text(yaml.safe_dump(TINY))
    (block,) = python(ROOT / "README.md")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{block}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == TINY["finetune"]["winners"]  # type: ignore[index]
    for line in lines:
        assert (tmp_path / "runs" / "digits" / line.split()[0]).is_file()
