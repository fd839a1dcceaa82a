"""What a service refuses is named by its place in the spec, by the commands of single phases too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import InvalidArgument
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2
from tests.unit.predictor.spaces import library, random_tables

DIGITS = str(Path(__file__).parents[3] / "examples" / "digits.yaml")
WEIGHTS = common_pb2.Artifact(sha256="c" * 64)
TRAINED = finetuner_pb2.FinetuneJob(networks=[finetuner_pb2.FinetunedNetwork(weights=WEIGHTS)])


class Services:
    """A client that is refused one kind of request, at one field of it."""

    def __init__(self, refused: type | None = None, field: str = "") -> None:
        self.refused, self.field = refused, field
        self.asked: list[Any] = []

    def create(self, spec: Any, *, validate_only: bool) -> Any:
        return self.ensure(spec, "", None)

    def ensure(self, spec: Any, key: str, on_change: Any) -> Any:
        self.asked.append(spec)
        if isinstance(spec, self.refused or ()):
            raise InvalidArgument.of(self.field, "is wrong")
        is_library = isinstance(spec, distiller_pb2.BlockLibrarySpec)
        return distiller_pb2.BlockLibrary(num_architectures="1") if is_library else TRAINED

    def upload(self, data: Any) -> common_pb2.Artifact:
        return WEIGHTS


def invoke(services: Services, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    @contextmanager
    def connect(*_: Any, **__: Any) -> Iterator[Services]:
        yield services

    monkeypatch.setattr("donna.cli.connect.connect", connect)
    return CliRunner().invoke(build(), words)


@pytest.mark.parametrize(
    ("words", "refused", "field", "place"),
    [
        (["distill", DIGITS], distiller_pb2.BlockLibrarySpec, "recipe.optimizer", "distillation.optimizer"),
        (["distill", DIGITS], finetuner_pb2.FinetuneSpec, "recipe.optimizer", "reference.train.optimizer"),
        (
            ["distill", DIGITS, "--check"],
            distiller_pb2.BlockLibrarySpec,
            "blocks[1].name",
            "space.blocks[1].name",
        ),
        (
            ["inspect", "space", DIGITS],
            distiller_pb2.BlockLibrarySpec,
            "blocks[1].name",
            "space.blocks[1].name",
        ),
        (
            ["finetune", DIGITS, "0-1", "--library", "{library}", "--output", "{output}"],
            finetuner_pb2.FinetuneSpec,
            "recipe.batch_size",
            "finetune.batch_size",
        ),
    ],
)
def test_the_field_is_that_of_the_spec(
    words: list[str], refused: type, field: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "library.json"
    manifest.write_bytes(library(random_tables(2, 3, seed=0)).to_json())
    filled = [word.format(library=manifest, output=tmp_path / "models") for word in words]
    error = invoke(Services(refused, field), monkeypatch, *filled).exception
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [place]


def test_the_check_asks_for_blocks_of_the_weights_that_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services()
    words = ("distill", DIGITS, "--check", "--set", "reference.train=null")
    done = invoke(services, monkeypatch, *words, "--set", f"reference.weights={tmp_path / 'weights'}")
    assert done.exit_code == 0, done.output
    assert services.asked[0].reference.weights == WEIGHTS
