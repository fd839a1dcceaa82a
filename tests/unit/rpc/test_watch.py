"""What watchers share, and what is no business of each other's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from donna.errors import DonnaError, NotFound
from donna.jobs import Job, JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.rpc.watch import Watcher


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobStore(engine)
    engine.dispose()


def create(store: JobStore) -> str:
    return store.create("squares", {}, [TaskSpec(key="", spec={})]).name


def test_a_change_is_rendered_once_for_all_who_watch(store: JobStore) -> None:
    name, renderings = create(store), Counter[int]()

    def render(job: Job) -> Job:
        renderings[job.revision] += 1
        return job

    async def watch(watcher: Watcher[Job]) -> list[Job]:
        return [job async for job in watcher.watch(name)]

    async def everything() -> None:
        watcher = Watcher(store, render)
        watching = [asyncio.create_task(watch(watcher)) for _ in range(50)]
        while not watcher.watched:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(store.cancel, name)
        seen = await asyncio.gather(*watching)
        assert all(
            jobs[1] is seen[0][1] and len(jobs) == 2 for jobs in seen
        )  # the same message, not an equal one

    asyncio.run(everything())
    assert list(renderings.values()) == [1, 1]


def test_a_job_that_cannot_be_shown_is_nobody_elses_trouble(store: JobStore) -> None:
    broken, sound = create(store), create(store)

    def render(job: Job) -> str:
        if job.name == broken and job.state.ended:
            raise NotFound("what it was made of is gone")
        return job.state

    async def last(watcher: Watcher[str], name: str) -> str:
        return [state async for state in watcher.watch(name)][-1]

    async def everything() -> None:
        watcher = Watcher(store, render)
        watching = [asyncio.create_task(last(watcher, name)) for name in (broken, sound)]
        await asyncio.sleep(0.3)
        for name in (broken, sound):
            await asyncio.to_thread(store.cancel, name)
        with pytest.raises(DonnaError, match="what it was made of is gone"):
            await watching[0]
        assert await watching[1] == "CANCELLED"

    asyncio.run(everything())


def test_a_store_that_is_away_for_a_moment_ends_no_watch(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while a job is looked at nor while it is rendered; what was seen before it went away is told."""
    names, away = [create(store), create(store)], Counter[str]()

    def render(job: Job) -> str:
        if job.state.ended and job.name == names[1] and away["rendering"] < 2:
            away["rendering"] += 1
            raise OperationalError("select", {}, Exception("the database is away"))
        return job.state

    async def last(watcher: Watcher[str], name: str) -> str:
        return [state async for state in watcher.watch(name)][-1]

    async def everything() -> None:
        watcher = Watcher(store, render)
        watching = [asyncio.create_task(last(watcher, name)) for name in names]
        await asyncio.sleep(0.3)
        for name in names:
            await asyncio.to_thread(store.cancel, name)
        assert await asyncio.wait_for(watching[0], 30) == "CANCELLED"
        assert await asyncio.wait_for(watching[1], 30) == "CANCELLED"

    asyncio.run(everything())
    assert away["rendering"] == 2
