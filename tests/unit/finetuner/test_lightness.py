"""The service computes nothing itself, so it must not carry torch; its workers do."""

import json
import subprocess
import sys

import pytest

from donna.errors import InvalidArgument, Unavailable
from services.finetuner.reference_check import check_reference

from .conftest import DATASET, REFERENCE

CODE = f"""
import sys, donna.data, services.finetuner.__main__
dataset = donna.data.load({json.dumps(DATASET)})
dataset.split("validation").labels
sys.exit(",".join(name for name in ("torch", "sklearn", "onnx") if name in sys.modules) or 0)
"""


def test_the_service_and_the_data_it_checks_bring_no_torch():
    child = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert (child.returncode, child.stderr) == (0, "")


def test_references_are_checked_in_a_process_of_their_own():
    check_reference(REFERENCE)
    with pytest.raises(InvalidArgument) as caught:
        check_reference({"provider": "small_cnn", "arguments": {"in_channels": 0, "num_classes": 10}})
    assert [v.field for v in caught.value.violations] == ["reference.arguments.in_channels"]


def test_a_check_whose_process_is_killed_may_be_tried_again(monkeypatch):
    """What the machine did to it says nothing of the reference."""
    asked = {"provider": "small_cnn", "arguments": {"in_channels": 2, "num_classes": 10}}
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -9, "", ""))
        with pytest.raises(Unavailable, match="ended by signal 9"):
            check_reference(asked)
    check_reference(asked)
