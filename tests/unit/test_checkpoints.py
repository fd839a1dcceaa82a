"""The last state of a task: written when it is time, read if it is whole, removed when it is not needed any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from donna.artifacts import ArtifactStore
from donna.checkpoints import Checkpoints
from donna.errors import DataLoss


class Report:
    """Keeps what is saved; `files` counts what the store holds."""

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None

    def save(self, state: dict[str, Any]) -> None:
        self.state = state

    def saved(self) -> dict[str, Any] | None:
        return self.state


class World:
    """A store, a report and a clock, which survive attempts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.report, self.now = folder, ArtifactStore(folder), Report(), 0.0

    def attempt(self) -> Checkpoints:
        report: Any = self.report
        return Checkpoints(self.store, report, 30.0, lambda: self.now)

    @property
    def files(self) -> list[bytes]:
        return [path.read_bytes() for path in self.folder.glob("*/*")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_one_is_written_when_the_last_is_old_and_takes_its_place(world: World) -> None:
    checkpoints = world.attempt()
    assert checkpoints.load(bytes) is None
    assert not checkpoints.due()
    world.now = 31.0
    assert checkpoints.due()
    checkpoints.save(b"one")
    assert not checkpoints.due()
    world.now = 62.0
    checkpoints.save(b"two")
    assert world.files == [b"two"]
    assert world.attempt().load(bytes) == b"two"
    checkpoints.clear()
    assert world.files == []


def test_what_takes_long_to_write_is_written_seldom(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = world.store.put_bytes

    def slow(data: bytes) -> Any:
        world.now += 3.0
        return real(data)

    monkeypatch.setattr(world.store, "put_bytes", slow)
    checkpoints = world.attempt()
    checkpoints.save(b"one")
    world.now += 59.0
    assert not checkpoints.due()
    world.now += 1.0
    assert checkpoints.due()


def test_time_spent_is_that_of_the_attempts_it_goes_on_from(world: World) -> None:
    first = world.attempt()
    world.now = 40.0
    first.save(b"one")
    world.now = 55.0  # 15 s of work are lost
    second = world.attempt()
    assert second.load(bytes) == b"one"
    world.now = 60.0
    assert second.spent_s() == 45.0
    second.save(b"two")
    world.store.remove(str((world.report.state or {})["checkpoint"]))
    third = world.attempt()
    assert third.load(bytes) is None
    assert third.spent_s() == 0.0


def test_a_later_attempt_removes_what_an_earlier_one_left(world: World) -> None:
    world.attempt().save(b"one")
    world.attempt().clear()
    assert world.files == []


@pytest.mark.parametrize("where", ["on the disk", "in what it says"])
def test_one_that_is_damaged_is_as_none(world: World, where: str) -> None:
    def read(data: bytes) -> bytes:
        if where == "in what it says":
            raise DataLoss("it says nothing")
        return data

    world.attempt().save(b"one")
    if where == "on the disk":
        (path,) = world.folder.glob("*/*")
        path.chmod(0o644)
        path.write_bytes(b"two")
    assert world.attempt().load(read) is None
