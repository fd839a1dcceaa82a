"""Processes that start while something is missing: they say what, wait where that helps, and leave when told."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from donna.errors import FailedPrecondition
from donna.service import open_stores
from donna.settings import ServiceSettings
from tests import postgres
from tests.unit.jobs.clock import eventually

ROOT = Path(__file__).parents[3]
WORKER = """
from types import SimpleNamespace
import donna.service
donna.service.DATABASE_PATIENCE_S = 0.5
from donna.worker import main
from services.finetuner.settings import FinetunerSettings
main("finetuner", FinetunerSettings, lambda *_: SimpleNamespace(kind="finetuneJobs"), {arguments})
"""


TRACED = """
from donna import worker
from donna.telemetry.tracing import Tracing
worker.start_tracing = lambda *_: Tracing(close=lambda: print("the spans are sent", flush=True))
"""


def start(folder: Path, database: str, *command: str) -> "subprocess.Popen[bytes]":
    names = ("DONNA_FINETUNER", "DONNA_PREDICTOR")
    environment = {f"{n}_DATABASE": database for n in names} | {f"{n}_STATE": str(folder) for n in names}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}, stderr=log
        )


def waits(folder: Path) -> None:
    eventually(lambda: b"the database does not answer yet" in (folder / "log").read_bytes())


@pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL is not installed")
def test_the_pod_of_a_task_waits_for_its_database(tmp_path: Path) -> None:
    with postgres.restartable() as database:
        database.stop()
        task = ["--job", "finetuneJobs/1f", "--index", "0"]
        pod = start(tmp_path, database.url, "-c", WORKER.format(arguments=task))
        any_task = start(tmp_path, database.url, "-c", WORKER.format(arguments=[]))
        assert any_task.wait(60) == 1, "another is started in its place"
        time.sleep(1)
        assert pod.poll() is None
        database.start()
        assert pod.wait(60) == 0, (tmp_path / "log").read_text()


def test_a_worker_that_ends_sends_its_last_spans(tmp_path: Path) -> None:
    settings = {"DONNA_FINETUNER_STATE": str(tmp_path), "DONNA_FINETUNER_WORKER_IDLE_S": "0.01"}
    code = TRACED + WORKER.format(arguments=[])
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (0, "the spans are sent\n"), ended.stderr


def test_who_waits_for_a_database_leaves_when_told(tmp_path: Path) -> None:
    """With a code of its own: as the first process of a container it would not hear of it, were it not to listen."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"postgresql+psycopg://donna@127.0.0.1:{closed.getsockname()[1]}/donna"
        process = start(tmp_path, nobody, "-m", "services.predictor")
        waits(tmp_path)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM


@pytest.mark.parametrize("name", ["state", "artifact"])
def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    folders = {"state": tmp_path / "state", "artifact": tmp_path / "artifacts"} | {name: tmp_path / "file"}
    settings = ServiceSettings(state=folders["state"], artifacts=str(folders["artifact"]))
    with pytest.raises(FailedPrecondition, match=f"the {name} folder cannot be written: "):
        open_stores(settings, "predictor")


def test_a_volume_that_is_mounted_read_only_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("donna.durable.tempfile.TemporaryFile", refuse)
    with pytest.raises(FailedPrecondition, match="the state folder cannot be written: Read-only file system"):
        open_stores(ServiceSettings(state=tmp_path), "predictor")
