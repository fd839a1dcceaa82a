"""For all tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests over real processes come first: they take longest, and other processors do the rest beside them."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
