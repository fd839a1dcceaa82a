"""For all tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

WORKER = os.environ.get("PYTEST_XDIST_WORKER")


def pytest_configure() -> None:
    """Gives each of several workers temporary files of its own: agents of one machine measure one at a time, by a lock
    in there, and those of other tests would be waited for."""
    if WORKER:
        folder = Path(tempfile.gettempdir()) / f"donna-{os.environ['PYTEST_XDIST_TESTRUNUID'][:8]}-{WORKER}"
        folder.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def pytest_unconfigure() -> None:
    """Removes it."""
    if WORKER:
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests over real processes come first: they take longest, and other processors do the rest beside them."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
