"""Another language, from the protos alone: Node creates a search, watches it and reads its front."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "tests" / "clients" / "node"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with its two packages; skips where there is no Node or they cannot be fetched."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        pytest.skip("needs node and npm")
    if (CLIENT / "node_modules").is_dir():
        return CLIENT
    folder = tmp_path_factory.mktemp("node") / "client"
    shutil.copytree(CLIENT, folder)
    command = [
        npm,
        "install",
        "--no-package-lock",
        "--ignore-scripts",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
    ]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        problem = done.stderr if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = "it takes longer than two minutes"
    if problem:
        # On a laptop without a network that is no fault of ours; CI has one, and would never notice.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"npm cannot fetch @grpc/grpc-js: {problem}")
    return folder


def test_node_reads_a_front(
    client: Path, endpoints: list[str], manifest: Path, predictor: dict[str, Any]
) -> None:
    addresses = dict(option.split("=") for option in endpoints if "=" in option)
    done = subprocess.run(
        ["node", "search.js", str(ROOT / "protos"), addresses["searcher"], str(manifest), predictor["name"]],
        cwd=client,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["state"] == "JOB_STATE_SUCCEEDED"
    assert found["generations"] == 4
    assert found["refused"]["code"] == 3 and "objectives" in found["refused"]["details"]
    points = [(p["accuracy"], p["macs"]) for p in found["front"]]
    assert points and all(len(p["architecture"]) == 4 for p in found["front"])
    assert not any(a2 >= a and m2 < m for a, m in points for a2, m2 in points)
