"""The light services, really running, for commands that need no training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from donna.cli.app import build
from donna.errors import DonnaError
from donna.local import services
from tests.unit.predictor.spaces import draw, library, random_tables


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


class Donna:
    """The command, with the services of the tests."""

    def __init__(self, endpoints: list[str]) -> None:
        self._endpoints = endpoints

    def __call__(self, *words: str) -> Result:
        """Its output; an error of ours is raised."""
        done = CliRunner().invoke(build(), [*words, *self._endpoints], env={"COLUMNS": "200"})
        if isinstance(done.exception, DonnaError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)


@pytest.fixture(scope="session")
def donna(endpoints: list[str]) -> Donna:
    return Donna(endpoints)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.json"
    path.write_bytes(library(random_tables(4, 6, seed=3)).to_json())
    return path


@pytest.fixture(scope="session")
def predictor(donna: Donna, manifest: Path) -> dict[str, Any]:
    """A predictor fitted from a CSV file, of accuracies that fall with the qualities' sum."""
    space = library(random_tables(4, 6, seed=3))
    choices = draw(space.num_options, 30, seed=1)
    accuracies = 0.95 - 0.1 * space.qualities(choices).sum(axis=1)
    lines = [f"{'-'.join(map(str, c))},{a}" for c, a in zip(choices, accuracies, strict=True)]
    samples = manifest.with_name("samples.csv")
    samples.write_text("architecture,accuracy\n" + "\n".join(dict.fromkeys(lines)) + "\n")
    return donna.json("predictor", "fit", "--library", str(manifest), "--samples", str(samples))
