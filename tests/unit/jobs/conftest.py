"""One suite for every database: SQLite, and a PostgreSQL server that is started here where it is installed."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from donna.jobs.database import open_database
from donna.jobs.store import JobStore
from tests import postgres
from tests.unit.jobs.clock import Clock


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a database of a real server."""
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed: neither initdb in the PATH nor /usr/lib/postgresql/*/bin")
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several processes may open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    schema = f"t{secrets.token_hex(8)}"
    return f"{request.getfixturevalue('postgres_url')}?options=-csearch_path%3D{schema}"


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
