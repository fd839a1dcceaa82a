"""Connections to PostgreSQL that notice when nobody answers, however the line was lost, and its clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event, text

CONNECT_S = 5
STATEMENT_S = 30
ANSWER_S = STATEMENT_S + 5.0
"""What a statement may take in the server, and what it may take until the answer is here: a line whose ends are alive
while nothing comes through (a proxy that has lost the server) is told by nothing else."""
IDLE_IN_TRANSACTION_S = 60
"""So long a stopped process may hold locks that others wait for."""
LINE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
COMPARE_S = 10.0

# Unlike the monotonic clock it goes on while the machine sleeps.
_steady_s: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)


def connect_arguments(query: Mapping[str, Any], schema: str) -> dict[str, Any]:
    """libpq's arguments beside those in the `query` of the url, which come first; tables are in `schema`, if given."""
    settings = {
        "statement_timeout": f"{STATEMENT_S}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
    }
    options = [f"-c{name}={value}" for name, value in settings.items()]
    options.append(str(query.get("options", "")))  # of one name the last counts
    if schema:
        options.append(f"-csearch_path={schema}")
    # The encoding is said, since a database made without a locale would give bytes.
    defaults = {"client_encoding": "utf8", "connect_timeout": CONNECT_S, **LINE}
    own = {name: value for name, value in defaults.items() if name not in query}
    return own | {"options": " ".join(filter(None, options))}


def connect(*arguments: Any, **named: Any) -> Any:
    """A psycopg connection that is closed, with OperationalError, when the server owes an answer for ANSWER_S."""
    import psycopg

    class Impatient(psycopg.Connection[Any]):
        answer_s = ANSWER_S

        def wait(self, gen: Any, *more: Any, **how: Any) -> Any:
            return super().wait(self._limited(gen), *more, **how)

        def _limited(self, gen: Any) -> Generator[Any, Any, Any]:
            """`gen`, which is told again and again that nothing has come, until it is too late."""
            deadline = time.monotonic() + self.answer_s
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted
                    if not ready and time.monotonic() > deadline:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(f"the server has not answered for {self.answer_s:g} s")
                    wanted = gen.send(ready)
            except StopIteration as end:
                return end.value

    return Impatient.connect(*arguments, **named)


def take_all_time(connection: Connection) -> None:
    """This connection waits as long as its statements take from now on, and ends with this transaction."""
    connection.connection.driver_connection.answer_s = math.inf  # type: ignore[union-attr]
    connection.detach()
    connection.exec_driver_sql("SET LOCAL statement_timeout TO 0")


class DatabaseClock:
    """Seconds since the epoch as the database has them: machines that share it agree, whatever their own clocks say.

    Compared with the database's again in the first transaction after COMPARE_S, without one of its own.
    `steady_s` is a clock of this machine that nobody sets.
    """

    def __init__(self, engine: Engine, steady_s: Callable[[], float] = _steady_s) -> None:
        self._steady_s = steady_s
        self._engine = engine
        self._ahead_s = 0.0
        self._compared_at: float | None = None
        event.listen(engine, "begin", self._compare)

    def __call__(self) -> float:
        if self._compared_at is None:
            with self._engine.begin():
                pass
        return self._steady_s() + self._ahead_s

    def _compare(self, connection: Connection) -> None:
        before = self._steady_s()
        if self._compared_at is not None and before - self._compared_at < COMPARE_S:
            return
        there = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        after = self._steady_s()
        self._ahead_s = float(there) - (before + after) / 2
        self._compared_at = after
