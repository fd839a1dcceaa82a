"""One suite for every database: SQLite always, PostgreSQL when DONNA_TEST_POSTGRES has the URL of an empty one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from donna.jobs.database import open_database
from donna.jobs.schema import metadata
from donna.jobs.store import JobStore
from tests.unit.jobs.clock import Clock

POSTGRES = os.environ.get("DONNA_TEST_POSTGRES", "")


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRES else [])])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that several processes may open."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.db'}"
        return
    engine = open_database(POSTGRES)
    metadata.drop_all(engine)
    yield POSTGRES
    metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: str, clock: Clock) -> Iterator[JobStore]:
    """A store whose time stands still until the test moves it."""
    engine = open_database(database)
    yield JobStore(engine, clock)
    engine.dispose()


@pytest.fixture
def live(database: str) -> Iterator[JobStore]:
    """A store in real time."""
    engine = open_database(database)
    yield JobStore(engine)
    engine.dispose()
