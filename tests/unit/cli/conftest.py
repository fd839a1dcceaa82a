"""The light services, really running, for commands that need no training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from donna.local import services


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """`--endpoint` options of a predictor, a searcher and a profiler."""
    with services(tmp_path_factory.mktemp("state"), only=("predictor", "searcher", "profiler")) as client:
        known = client.endpoints
        addresses = {
            "predictor": known.predictor,
            "searcher": known.searcher,
            "profiler": known.profilers["local"],
        }
        yield [part for name, address in addresses.items() for part in ("--endpoint", f"{name}={address}")]
