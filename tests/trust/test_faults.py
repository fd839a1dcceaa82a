"""Bad days of the machine: the database goes and comes back, is full, two services share one store, a service is
told to stop in the middle of its work."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from donna.errors import DonnaError, Unavailable
from donna.jobs import JobState, JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.jobs.engine import Engine
from donna.jobs.placement import Threads
from donna.rpc.channel import Remote, open_channel
from donna.v1 import common_pb2, finetuner_pb2, finetuner_pb2_grpc, predictor_pb2
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests import postgres
from tests.trust.everything import REFERENCE, SPLIT, dict_to_struct
from tests.unit.jobs.clock import eventually
from tests.unit.jobs.squares import Squares, runs
from tests.unit.predictor.serving import served as predictor
from tests.unit.profiler.agent import service
from tests.unit.rpc.serving import Small, endpoint, serving
from tests.unit.searcher.libraries import build_library

pytestmark = pytest.mark.slow

AWAY_S = float(os.environ.get("DONNA_DATABASE_AWAY_S", "3"))


@pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL is not installed")
def test_a_job_outlives_its_database(tmp_path: Path) -> None:
    """PostgreSQL is killed while a task runs and another waits; watchers and callers are told, health says no."""
    with postgres.restartable() as database:
        store = JobStore(open_database(database.url))
        work = Squares()
        engine = Engine(store, work, Threads(store, work, limit=1))
        small = Small(store)
        small.answer = lambda request: store.count("squares")

        def healthy() -> bool:
            store.check()
            return engine.alive

        engine.start()
        name = engine.create({"count": 3, "folder": str(tmp_path), "held": [0]}).name
        with serving(endpoint(small), healthy=healthy) as address, open_channel(address) as channel:
            remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
            status = health_pb2_grpc.HealthStub(channel)

            def ready() -> bool:
                found = status.Check(health_pb2.HealthCheckRequest(), timeout=30).status
                return bool(found == health_pb2.HealthCheckResponse.SERVING)

            watch = remote.WatchMeasurement(pb.WatchMeasurementRequest(name=name), deadline_s=300.0)
            next(watch)
            eventually(lambda: runs(tmp_path) and ready())
            database.stop()
            gone_at = time.monotonic()
            (tmp_path / "open-0").touch()  # the task ends while nobody can be told
            eventually(lambda: not ready(), within_s=60)
            with pytest.raises(Unavailable, match="the job store does not answer"):
                remote.GetDevice(pb.GetDeviceRequest(name="devices/1"), deadline_s=60.0)
            time.sleep(max(0.0, AWAY_S - (time.monotonic() - gone_at)))
            database.start()
            last = [response.measurement.job.state for response in watch][-1]
            assert last == common_pb2.JOB_STATE_SUCCEEDED
            eventually(ready)
        job = store.get(name)
        assert job.result == {"sum": 5}
        assert (
            job.cost["measurements"] == 3 == len(runs(tmp_path))
        )  # what ended meanwhile was kept, not done again
        engine.close()
        store.engine.dispose()


def test_a_store_that_is_full_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    store = JobStore(open_database(f"sqlite:///{tmp_path / 'jobs.db'}"))
    name = store.create("squares", {"n": 1}, [TaskSpec(key="", spec={})]).name
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    store.engine.dispose()

    from sqlalchemy import event

    @event.listens_for(store.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    small = Small()
    small.answer = lambda request: store.create(
        "squares", {"text": "x" * 100_000}, [TaskSpec(key="", spec={})]
    )
    with serving(endpoint(small)) as address, open_channel(address) as channel:
        remote = Remote(ProfilerServiceStub, channel, deadline_s=30)
        with pytest.raises(Unavailable, match="the job store is full; nothing was changed") as caught:
            remote.GetDevice(pb.GetDeviceRequest(name="devices/1"))
        assert (caught.value.reason, caught.value.retry_after_s) == ("STORE_FULL", 2.0)
    assert [job.name for job in store.list("squares")[0]] == [name]
    assert store.cancel(name).state is JobState.CANCELLED  # small writes still fit
    store.engine.dispose()


def test_two_copies_of_a_service_share_a_store(tmp_path: Path) -> None:
    """Half of the work is ordered from each; every job is done once, and seen from both."""
    with predictor(tmp_path) as one, predictor(tmp_path) as other:
        library = build_library((3, 4, 3), one.artifacts)
        manifest = one.put(library)
        names = []
        for k in range(8):
            samples = [
                predictor_pb2.AccuracySample(
                    architecture=common_pb2.Architecture(choices=[i % 3, i % 4, i // 4]),
                    accuracy=0.5 + 0.01 * ((i * (k + 3)) % 11),
                )
                for i in range(12)
            ]
            spec = predictor_pb2.PredictorSpec(library=manifest, samples=samples, seed=k)
            request = predictor_pb2.CreatePredictorRequest(spec=spec, request_id=f"r{k}")
            first, again = (each.stub.CreatePredictor(request).predictor.name for each in (one, other))
            assert first == again
            names.append(first)
        for k, name in enumerate(names):
            watcher = (other, one)[k % 2]
            last = list(
                watcher.stub.WatchPredictor(predictor_pb2.WatchPredictorRequest(name=name), deadline_s=60)
            )
            assert last[-1].predictor.job.state == common_pb2.JOB_STATE_SUCCEEDED
        listed = other.stub.ListPredictors(predictor_pb2.ListPredictorsRequest(page_size=100)).predictors
        assert sorted(each.name for each in listed) == sorted(set(names))


@pytest.fixture
def told_to_stop(tmp_path: Path) -> Iterator[tuple[Path, float, str, str]]:
    """A finetuner that was told to stop in the middle of a training, with a token: its folder, the seconds that it
    took, the token, and what every process of the machine showed of itself meanwhile."""
    token = "a-token-that-nobody-may-see"
    (tmp_path / "token").write_text(token)
    started = time.monotonic()
    with service(
        "finetuner",
        tmp_path,
        TOKEN_FILE=str(tmp_path / "token"),
        CHECKPOINT_INTERVAL_S="0",
        LOG_LEVEL="DEBUG",
    ) as address:
        with open_channel(address) as channel:
            for wrong in ("", token + "x"):
                stranger = Remote(finetuner_pb2_grpc.FinetunerServiceStub, channel, token=wrong)
                with pytest.raises(DonnaError) as caught:
                    stranger.ListFinetuneJobs(finetuner_pb2.ListFinetuneJobsRequest())
                assert token not in caught.value.message
            remote = Remote(finetuner_pb2_grpc.FinetunerServiceStub, channel, token=token)
            spec = finetuner_pb2.FinetuneSpec(
                reference=common_pb2.Reference(provider="small_cnn", arguments=dict_to_struct(REFERENCE)),
                dataset=common_pb2.Dataset(provider="digits", split=common_pb2.DatasetSplit(**SPLIT)),
                networks=[finetuner_pb2.Network(reference=True)],
                recipe=finetuner_pb2.FinetuneRecipe(epochs=20_000),
            )
            name = remote.CreateFinetuneJob(
                finetuner_pb2.CreateFinetuneJobRequest(spec=spec)
            ).finetune_job.name
            watch = remote.WatchFinetuneJob(
                finetuner_pb2.WatchFinetuneJobRequest(name=name), deadline_s=120.0
            )
            next(response for response in watch if response.finetune_job.job.progress.done > 0)
            watch.close()
            lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
            process = next(p for p in psutil.process_iter() if _serves(p, tmp_path))
            before = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert time.monotonic() - started < 200
        yield tmp_path, time.monotonic() - before, token, "\n".join(lines)


def _serves(process: psutil.Process, folder: Path) -> bool:
    try:
        ours = process.environ().get("DONNA_FINETUNER_STATE") == str(folder / "state")
        return ours and process.cmdline()[-1] == "services.finetuner"
    except (psutil.Error, IndexError):
        return False


def test_told_to_stop_in_mid_job(told_to_stop: tuple[Path, float, str, str]) -> None:
    folder, took_s, token, command_lines = told_to_stop
    assert took_s < 30  # the grace period of the manifests
    with sqlite3.connect(folder / "state" / "finetuner.db") as connection:
        ((state, attempt, checkpoint),) = connection.execute("SELECT state, attempt, checkpoint FROM tasks")
        ((job,),) = connection.execute("SELECT state FROM jobs")
    assert (state, attempt) == ("QUEUED", 0), "the task goes back, and this start of it does not count"
    assert json.loads(checkpoint), "it goes on from where it was"
    assert job == "RUNNING"
    left = [p for p in psutil.process_iter() if _of(p, folder)]
    assert not left
    # And of the token nothing was to be seen.
    log = (folder / "log").read_text()
    assert "serves on" in log and token not in log and "Traceback" not in log
    assert "services.finetuner" in command_lines and token not in command_lines
    shown = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert token not in shown


def _of(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("DONNA_FINETUNER_STATE") == str(folder / "state")
    except psutil.Error:
        return False
