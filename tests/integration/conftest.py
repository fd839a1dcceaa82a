"""A run that is small in every dimension but has every phase."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

TINY = {
    "name": "tiny",
    "reference": {
        "provider": "small_cnn",
        "arguments": {"in_channels": 1, "num_classes": 10, "widths": [8, 8, 12, 12]},
        "train": {"epochs": 3, "learning_rate": 0.01, "soft_weight": 0.0},
    },
    "dataset": {
        "provider": "digits",
        "split": {"training": 400, "quality": 200, "validation": 300, "test": 300},
    },
    "space": {
        "blocks": ["stage2", "stage3"],
        "options": [
            {"family": "inverted_residual", "kernel": [3, 5], "expansion": [1, 2], "depth": 1},
            {"family": "skip"},
        ],
    },
    "distillation": {"epochs": 1},
    "predictor": {"samples": 6, "holdout": 3, "finetune": {"epochs": 0.5}},
    "search": {
        "population": 6,
        "generations": 2,
        "measurement": {"min_runs": 10, "max_runs": 20, "min_time_ms": 1, "warmup_runs": 2},
    },
    "finetune": {"winners": 2, "epochs": 1},
}


@pytest.fixture(scope="session")
def tiny_spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny spec as a file."""
    path = tmp_path_factory.mktemp("spec") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State that the tests of one session share: what is trained once stays trained."""
    return tmp_path_factory.mktemp("state")
