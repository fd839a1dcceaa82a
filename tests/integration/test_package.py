"""The example package, installed as a user would: its reference and its family are inspected and distilled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "package"
SPEC = PACKAGE / "digits.yaml"
SMALL = (
    "reference.train.epochs=1",
    "reference.arguments.width=8",
    "dataset.split={training: 128, quality: 40, validation: 40, test: 40}",
    "space.blocks=[layers.1, layers.2]",
    "distillation.epochs=1",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package was installed into, with its entry points."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".toml"):
            copy = source / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder / "site")]
    command = [sys.executable, "-m", "pip", "install", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def donna(installed: Path, state: Path, *words: str) -> Any:
    path = os.pathsep.join([str(installed), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "donna.cli", *words, "--state", str(state), "--json"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_inspected_planned_and_distilled(installed: Path, tmp_path: Path) -> None:
    arguments = ("--argument", "in_channels=1", "--argument", "num_classes=10", "--input-shape", "1x8x8")
    found = donna(installed, tmp_path, "inspect", "reference", "conv_mixer", *arguments)
    assert {"layers.0", "layers.3"} <= {submodule["name"] for submodule in found["submodules"]}
    changed = [word for text in SMALL for word in ("--set", text)]
    library = donna(installed, tmp_path, "distill", str(SPEC), *changed)
    assert library["job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert library["num_options"] == [9, 9]
    options = library["spec"]["blocks"][0]["options"]
    assert "separable(depth=2,kernel=5)" in options
    assert library["spec"]["reference"]["provenance"]["source"] == "my-networks, trained from scratch"
