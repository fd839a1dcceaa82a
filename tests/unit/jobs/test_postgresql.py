"""What only PostgreSQL brings: lines that break, limits on connections, and clocks of several machines."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from bench.line import Line
from donna.errors import Unavailable
from donna.jobs import JobStore, TaskSpec, postgresql
from donna.jobs.database import open_database
from donna.jobs.lease import Leases
from donna.jobs.store import as_unavailable

KIND = "squares"


@pytest.fixture
def line(postgres_url: str) -> Iterator[Line]:
    url = make_url(postgres_url)
    found = Line(f"{url.host}:{url.port}")
    yield found
    found.close()


def through(line: Line, url: str, schema: str) -> JobStore:
    host, _, port = line.address.partition(":")
    address = make_url(url).set(host=host, port=int(port)).render_as_string(hide_password=False)
    return JobStore(open_database(address, schema=schema))


@pytest.mark.parametrize("mode", ["half-open", "cut"])
def test_a_line_on_which_nothing_comes_back_is_given_up(
    line: Line, postgres_url: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(postgresql, "ANSWER_S", 0.5)
    monkeypatch.setattr(postgresql, "CONNECT_S", 2)
    store = through(line, postgres_url, f"line_{mode.replace('-', '_')}")
    name = store.create(KIND, {}, [TaskSpec(key="", spec={})]).name
    line.become(mode)  # type: ignore[arg-type]
    with ThreadPoolExecutor(4) as threads:  # connections that were open, and new ones
        calls = [threads.submit(store.get, name) for _ in range(4)]
        for call in calls:
            found = as_unavailable(call.exception(timeout=30))  # type: ignore[arg-type]
            assert found is not None and found.reason == "STORE_UNAVAILABLE"
    with pytest.raises(Unavailable, match="the database does not answer"):
        store.check()
    line.become("whole")
    assert store.get(name).name == name
    store.engine.dispose()


def test_a_connection_knows_its_limits(postgres_url: str) -> None:
    engine = open_database(postgres_url, schema="limits")
    with engine.connect() as connection:
        shown = {
            name: connection.execute(text(f"SHOW {name}")).scalar()
            for name in ("statement_timeout", "idle_in_transaction_session_timeout", "search_path")
        }
        driver = connection.connection.driver_connection
        assert driver is not None
        given = driver.info.get_parameters()
        with socket.socket(fileno=socket.dup(driver.fileno())) as line:
            limit_ms = line.getsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 18))
    assert shown == {
        "statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min", "search_path": "limits",
    }  # fmt: skip
    assert (given["connect_timeout"], given["keepalives_idle"], limit_ms) == ("5", "10", 20_000)
    engine.dispose()


def test_what_the_url_says_comes_first(postgres_url: str) -> None:
    engine = open_database(f"{postgres_url}?options=-cstatement_timeout%3D7s&connect_timeout=9", schema="own")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "7s"
        assert connection.execute(text("SHOW search_path")).scalar() == "own"
        driver = connection.connection.driver_connection
        assert driver is not None and driver.info.get_parameters()["connect_timeout"] == "9"
    engine.dispose()


def test_more_callers_than_connections_are_told_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("donna.jobs.database.CONNECTION_WITHIN_S", 0.1)
    store = JobStore(open_database(postgres_url, schema="few", connections=2))
    with store.engine.connect(), store.engine.connect():
        with pytest.raises(Exception, match="QueuePool limit") as caught:
            store.list(KIND)
    found = as_unavailable(caught.value)
    assert found is not None and found.reason == "STORE_UNAVAILABLE"
    store.engine.dispose()


def test_a_machine_whose_clock_is_ahead_takes_nobodys_task(postgres_url: str) -> None:
    engines = [open_database(postgres_url, schema="clocks") for _ in range(3)]
    stores = [
        JobStore(engine, postgresql.DatabaseClock(engine, lambda ahead_s=ahead_s: time.monotonic() + ahead_s))
        for engine, ahead_s in zip(engines, (0.0, 3600.0, -3600.0), strict=True)
    ]
    here, ahead, behind = stores
    assert here.create(KIND, {}, [TaskSpec(key="", spec={})]).created_at == pytest.approx(time.time(), abs=5)
    assert Leases(here, kind=KIND, owner="here").claim() is not None
    for other in (ahead, behind):
        assert Leases(other, kind=KIND, owner="other").claim() is None
    for engine in engines:
        engine.dispose()


def test_a_clock_that_drifts_is_set_again(postgres_url: str) -> None:
    engine = open_database(postgres_url, schema="clocks")
    drift_s = 0.0
    store = JobStore(engine, postgresql.DatabaseClock(engine, lambda: time.monotonic() + drift_s))
    before = store.clock()
    drift_s = 60.0
    store.count(KIND)
    assert store.clock() - before < 30
    engine.dispose()
