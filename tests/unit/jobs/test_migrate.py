"""The steps lead to the tables that the code has, once, whoever runs them and however many at once."""

import hashlib
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from donna.errors import FailedPrecondition
from donna.jobs import JobState, TaskSpec, migrations
from donna.jobs import database as module
from donna.jobs.database import open_database
from donna.jobs.lease import Leases
from donna.jobs.migrate import HEAD
from donna.jobs.schema import metadata
from donna.jobs.store import JobStore

RELEASED = {
    "r0001_job_store.py": "3a5efd38c096e6a5e9456351c55a4f0da36d3917f127714260b800f5cc3607d5",
    "r0002_parts.py": "cef5231b6f128880cfc2d10a8d894ea162aa88ce8e9d2e6433c054e16afd0a5a",
}


def test_the_steps_make_the_tables_of_the_code(database: str) -> None:
    engine = open_database(database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    engine.dispose()


def test_the_last_step_is_the_one_that_the_code_expects() -> None:
    steps = sorted((Path(migrations.__file__).parent / "versions").glob("r*.py"))
    assert re.search(r'^revision = "(\w+)"', steps[-1].read_text(), re.MULTILINE)[1] == HEAD  # type: ignore[index]


def test_steps_that_were_released_are_never_edited() -> None:
    """Databases were made by them: a change of the tables is a step of its own. Since 0.1.0."""
    for name, sha256 in RELEASED.items():
        source = (Path(migrations.__file__).parent / "versions" / name).read_bytes()
        assert hashlib.sha256(source).hexdigest() == sha256, f"{name} was released: add a step instead"


def test_a_database_of_the_first_release_becomes_one_of_this(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            schema = connection.execute(text("SHOW search_path")).scalar_one()
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = [column["name"] for column in inspect(connection).get_columns("jobs")]
        values = {**dict.fromkeys(columns, 0), "name": "squares/1", "kind": "squares", "state": "QUEUED"}
        values |= {"spec": '{"n": 1}', "cost": "{}", "error": None, "result": None, "spec_sha256": "0" * 64}
        values |= dict.fromkeys(("message", "waiting_for", "request_id"), "")
        names = ", ".join(values)
        connection.execute(text(f"INSERT INTO jobs ({names}) VALUES (:{', :'.join(values)})"), values)  # noqa: S608 - a test
    engine.dispose()
    upgraded = open_database(database)
    assert JobStore(upgraded).get("squares/1").spec == {"n": 1}
    with upgraded.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == HEAD
    upgraded.dispose()


def test_a_server_that_comes_late_is_waited_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [OperationalError("SELECT 1", {}, Exception("connection refused"))] * 2
    real = module.migrate

    def migrate(engine: Engine) -> None:
        if answers:
            raise answers.pop()
        real(engine)

    monkeypatch.setattr(module, "migrate", migrate)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    if database.startswith("sqlite"):
        with pytest.raises(FailedPrecondition, match="connection refused"):
            open_database(database, patience_s=60)  # a file does not come late
    else:
        open_database(database, patience_s=60).dispose()
        assert answers == []
        answers += [OperationalError("SELECT 1", {}, Exception("connection refused"))]
        with pytest.raises(FailedPrecondition, match="connection refused"):
            open_database(database)


def test_opening_again_keeps_what_is_there(database: str) -> None:
    engine = open_database(database)
    name = JobStore(engine).create("squares", {}, [TaskSpec(key="", spec={})]).name
    engine.dispose()
    again = open_database(database)
    assert JobStore(again).get(name).name == name
    again.dispose()


def test_a_database_of_the_first_days_is_taken_over(database: str) -> None:
    """Its tables were made without a record of their revision."""
    engine = open_database(database)
    name = JobStore(engine).create("squares", {}, [TaskSpec(key="", spec={})]).name
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    again = open_database(database)
    assert JobStore(again).get(name).name == name
    again.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: str) -> None:
    engine = open_database(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(FailedPrecondition, match=r"another version of DONNA.*9999"):
        open_database(database)


def test_many_open_a_fresh_database_at_once(database: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        engines = list(pool.map(open_database, [database] * 6))
    assert all(inspect(engine).has_table("jobs") for engine in engines)
    for engine in engines:
        engine.dispose()


def test_services_share_a_database_and_own_their_tables(postgres_url: str) -> None:
    one, other = (open_database(postgres_url, schema=name) for name in ("one", "other"))
    name = JobStore(one).create("squares", {}, [TaskSpec(key="", spec={})]).name
    assert [*JobStore(one).active_states("squares")] == [name]
    assert not JobStore(other).active_states("squares")
    plain = create_engine(postgres_url)
    assert {"one", "other"} <= set(inspect(plain).get_schema_names())
    assert not inspect(plain).has_table("jobs", schema="public")
    for engine in (one, other, plain):
        engine.dispose()


def test_a_password_is_used_in_place_of_the_url_s(postgres_url: str) -> None:
    engine = open_database(postgres_url, password="from a file: @/:?")
    assert engine.url.password == "from a file: @/:?"
    engine.dispose()


def test_a_database_without_a_locale_gives_text(postgres_url: str) -> None:
    plain = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with plain.connect() as connection:
        connection.execute(text("CREATE DATABASE plain ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"))
    plain.dispose()
    engine = open_database(postgres_url.replace("/postgres", "/plain"))
    name = JobStore(engine).create("squares", {"é": "ü"}, [TaskSpec(key="", spec={})]).name
    assert JobStore(engine).get(name).spec == {"é": "ü"}
    engine.dispose()


def test_the_keys_of_services_fit(database: str) -> None:
    """A hash with the name of what it stands for before it; SQLite would take any length."""
    engine = open_database(database)
    key = f"{'a-long-name-of-a-result'}:{'0' * 64}"
    name = JobStore(engine).create("squares", {}, [TaskSpec(key=key, spec={})]).name
    assert JobStore(engine).tasks(name)[0].key == key
    engine.dispose()


def test_a_database_of_the_first_release_goes_on(tmp_path: Path) -> None:
    """Its tables and rows, as SQL: whatever steps come later must lead from there."""
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        connection.executescript((Path(__file__).parent / "first_schema.sql").read_text())
    store = JobStore(open_database(f"sqlite:///{tmp_path / 'jobs.db'}"))
    waiting, ended = sorted(store.list("squares")[0], key=lambda job: job.state)
    assert (ended.state, ended.result, ended.request_id) == (JobState.SUCCEEDED, {"sum": 4}, "first")
    assert ended.cost["measurements"] == 1.0
    assert store.recall(["square-2"]) == {"square-2": {"square": 4}}
    leases = Leases(store, kind="squares", owner="b")
    task = leases.claim()
    assert task is not None and task.job == waiting.name
    leases.complete(task, {"square": 9}, {})
    assert store.succeed(waiting.name, {"sum": 9}).state is JobState.SUCCEEDED
    store.engine.dispose()
