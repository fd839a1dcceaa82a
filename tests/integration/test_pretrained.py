"""A reference whose provider brings its weights: the library is of these weights, and nothing is trained first."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from donna.nets import weights
from donna.space import Library

from .conftest import TINY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROVIDER = """
import torch
from donna.nets.references import Provider
from donna.nets.small_cnn import PROVIDER as PLAIN


def build():
    model = PLAIN.build(in_channels=1, num_classes=10, widths=(8, 8, 12, 12))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


TRAINED = Provider(name="trained", about="weights of its own", parameters=(), build=build)
"""


def install(folder: Path) -> None:
    """A package with an entry point, as pip leaves it."""
    (folder / "trained_network.py").write_text(PROVIDER)
    about = folder / "trained_network-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: trained-network\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[donna.references]\ntrained = trained_network:TRAINED\n")


def test_the_library_is_of_the_provider_s_weights(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site)
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump(TINY | {"reference": {"provider": "trained", "pretrained": True}}))
    manifest, state = tmp_path / "library.json", tmp_path / "state"
    words = ["distill", str(spec), "--output", str(manifest), "--state", str(state), "--json"]
    path = os.pathsep.join([str(site), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "donna.cli", *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Training the reference" not in done.stderr
    assert json.loads(done.stdout)["job"]["state"] == "JOB_STATE_SUCCEEDED"
    scope: dict = {}
    exec(PROVIDER, scope)  # noqa: S102 - our own text
    expected = hashlib.sha256(weights.dump(scope["build"]())).hexdigest()
    assert Library.from_json(manifest.read_bytes()).reference["weights"] == expected
