"""Brings a database up to date: the same steps on SQLite and on PostgreSQL, one process at a time."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from donna.errors import FailedPrecondition
from donna.jobs.postgresql import take_all_time

log = logging.getLogger("donna.jobs")

HEAD = "0002"
_LOCK = 0x646F6E6E61  # any number, the same for all who migrate
_VERSIONS = "alembic_version"


def migrate(engine: Engine) -> None:
    """Runs the steps that the database lacks; a database that is up to date costs one query.

    On PostgreSQL the schema at the head of the search path is created when it is missing. Raises FailedPrecondition
    for a database that a newer DONNA has written.
    """
    with engine.connect().execution_options(donna_reads=True) as connection:
        if _revision(connection) == HEAD:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            take_all_time(connection)
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _create_schema(connection)
        if _revision(connection) != HEAD:  # others may have been faster
            _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSIONS):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalar()  # noqa: S608 - a constant


def _create_schema(connection: Connection) -> None:
    first = connection.execute(text("SHOW search_path")).scalar_one().split(",")[0].strip()
    if first != '"$user"':
        quoted = connection.dialect.identifier_preparer.quote(first.strip('"'))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))


def _upgrade(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it speaks of its own parts
    from alembic import command  # a third of a second to import, and seldom needed
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise FailedPrecondition(
            f"the database was written by another version of DONNA: {error}", reason="DATABASE_NOT_OPENED"
        ) from error
    log.info("the tables are at revision %s now", HEAD)
