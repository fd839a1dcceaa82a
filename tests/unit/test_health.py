"""Health tells the truth: what cannot be written is not served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from donna import durable
from donna.artifacts import ArtifactStore
from donna.errors import Unavailable
from donna.health import WRITE_S, Health
from donna.jobs import JobStore
from donna.jobs.database import open_database


class World:
    """A state folder with stores in it, an engine, and a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        self.now, self.engine, self.state = 0.0, SimpleNamespace(alive=True), folder / "state"
        self.state.mkdir()
        self.artifacts = folder / "artifacts"
        self.store = JobStore(open_database(f"sqlite:///{folder / 'jobs.db'}"))
        self.healthy = Health(
            self.store, ArtifactStore(self.artifacts), [self.engine], self.state, clock=lambda: self.now
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.engine.dispose()


def test_all_is_well(world: World) -> None:
    assert world.healthy()
    world.engine.alive = False
    assert not world.healthy()


@pytest.mark.parametrize(
    ("name", "said"), [("state", "the state folder cannot be written"), ("artifacts", "the artifact store")]
)
def test_a_folder_that_cannot_be_written(world: World, name: str, said: str) -> None:
    folder: Path = getattr(world, name)
    assert world.healthy()
    folder.rename(folder.with_name("elsewhere"))
    assert world.healthy()  # what costs a write is not asked each second
    world.now += WRITE_S
    for _ in range(2):
        with pytest.raises(Unavailable, match=said):
            world.healthy()
    folder.with_name("elsewhere").rename(folder)
    assert world.healthy()  # and what failed is asked again at once


def test_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(Unavailable, match="the state folder cannot be written: No space left on device"):
        world.healthy()
