"""Opens the database of a service: SQLite on one machine, PostgreSQL in a cluster."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from donna.errors import FailedPrecondition, InvalidArgument, Unavailable
from donna.jobs import postgresql
from donna.jobs.migrate import migrate
from donna.jobs.schema import jobs

log = logging.getLogger("donna.jobs")

BUSY_MS = 30_000
RETRY_S = 1.0
CONNECTIONS = 16
CONNECTION_WITHIN_S = 10.0
STORE_ERRORS = (DBAPIError, NoConnection)
"""What a transaction raises when the database is away, or refuses it."""


def open_database(
    url: str,
    *,
    password: str = "",
    schema: str = "",
    patience_s: float = 0.0,
    connections: int = CONNECTIONS,
) -> Engine:
    """An engine with all tables in place and up to date.

    On PostgreSQL the tables are in `schema` (the user's default when empty), so that services can share a database
    and own their tables; `password` is used in place of the url's; there are never more than `connections`.
    SQLite runs in WAL mode with full sync, and a writing transaction takes the write lock at its start, so that
    concurrent processes wait for each other instead of failing half-way. A server that does not answer yet is waited
    for, up to `patience_s`: services of a cluster start in any order. Raises InvalidArgument for a url that is none,
    FailedPrecondition when the database cannot be opened.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise InvalidArgument.of(
                    "database", "SQLite needs a file, since several processes work on it"
                )
            engine = create_engine(url, pool_size=8, max_overflow=32)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = create_engine(
                parsed.set(password=password) if password else parsed,
                connect_args=postgresql.connect_arguments(parsed.query, schema),
                pool_pre_ping=True,
                pool_size=(connections + 1) // 2,
                max_overflow=connections // 2,
                pool_timeout=CONNECTION_WITHIN_S,
            )
            event.listen(
                engine, "do_connect", lambda _, __, given, named: postgresql.connect(*given, **named)
            )
            event.listen(engine, "begin", _begin_postgresql)
    except (ArgumentError, ImportError) as error:
        raise InvalidArgument.of(
            "database", "must be a URL such as sqlite:///state.db or postgresql+psycopg://…"
        ) from error
    wait_until = time.monotonic() + (patience_s if engine.dialect.name != "sqlite" else 0.0)
    while True:
        try:
            migrate(engine)
            return engine
        except DBAPIError as error:
            if not isinstance(error, OperationalError) or time.monotonic() > wait_until:
                raise FailedPrecondition(
                    f"the database cannot be opened: {_first_line(error.orig)}", reason="DATABASE_NOT_OPENED"
                ) from error
            log.warning("the database does not answer yet: %s", _first_line(error.orig))
            time.sleep(RETRY_S)


def _first_line(error: BaseException | None) -> str:
    """What it says, without the advice and the addresses that were tried beside."""
    return next(iter(str(error).splitlines()), "")


def check_database(engine: Engine) -> None:
    """Raises Unavailable unless the database is there and answers."""
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not os.path.exists(file):
        # Open connections would go on answering from a file that nobody can open again.
        raise Unavailable("the database file is gone", reason="DATABASE_GONE")
    try:
        with reading(engine).begin() as connection:
            connection.execute(select(jobs.c.name).limit(1))
    except SQLAlchemyError as error:
        raise Unavailable("the database does not answer", reason="DATABASE_GONE") from error


def reading(engine: Engine) -> Engine:
    """The same database for transactions that only read: on SQLite they never wait for a writer."""
    return engine.execution_options(donna_reads=True)


def written_soon(engine: Engine) -> Engine:
    """The same database for transactions that outlive every process at once, and a loss of power after a while.

    They do not wait for the disk. What is written later is never there without them.
    """
    return engine.execution_options(donna_soon=True)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("donna_reads"):
        connection.exec_driver_sql("BEGIN")
        return
    level = "NORMAL" if options.get("donna_soon") else "FULL"
    if connection.info.get("synchronous") != level:
        connection.exec_driver_sql(f"PRAGMA synchronous={level}")
        connection.info["synchronous"] = level
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("donna_soon"):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's "begin" event starts transactions, not the driver
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    _enter_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    # Each connection keeps pages of its own, 2 MB by default, and there are forty: the system keeps them for all.
    cursor.execute("PRAGMA cache_size=-256")
    cursor.close()


def _enter_wal(cursor: sqlite3.Cursor) -> None:
    """The change into WAL mode does not wait for others who make it at the same moment: so wait here."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
