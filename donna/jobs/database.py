"""Opens the database of a service: SQLite on one machine, PostgreSQL in a cluster."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from donna.errors import InvalidArgument
from donna.jobs.schema import metadata


def open_database(url: str) -> Engine:
    """An engine with all tables in place.

    SQLite runs in WAL mode with full sync, and a writing transaction takes the write lock at its start, so that
    concurrent processes wait for each other instead of failing half-way. Raises InvalidArgument for a url
    that is none.
    """
    try:
        dialect = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise InvalidArgument.of(
            "database", "must be a URL such as sqlite:///state.db or postgresql+psycopg://…"
        ) from error
    if dialect == "sqlite":
        engine = create_engine(url, connect_args={"timeout": 30.0})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=8)
    metadata.create_all(engine)
    return engine


def reading(engine: Engine) -> Engine:
    """The same database for transactions that only read: on SQLite they never wait for a writer."""
    return engine.execution_options(donna_reads=True)


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("donna_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's "begin" event starts transactions, not the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()
