"""Watching jobs: any number of watchers cost one small query per tick, one rendering per change, and no thread each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from donna.errors import NotFound
from donna.jobs.record import Job
from donna.jobs.store import JobStore, as_unavailable
from donna.trouble import Trouble

TICK_S = 0.1
LOOKS = 10
GONE = -1
log = logging.getLogger("donna.rpc")
M = TypeVar("M")


@dataclass(frozen=True, kw_only=True)
class _Sight(Generic[M]):
    """How a job looked at a revision; `error` instead of `message` when it cannot be looked at any more."""

    revision: int
    ended: bool = False
    message: M | None = None
    error: Exception | None = None


@dataclass
class _Watched(Generic[M]):
    """A job that somebody watches. `sight` is written by the thread that looks; `changed` is set once after that, on
    the loop, and then replaced."""

    watchers: int = 0
    sight: _Sight[M] | None = None
    told: _Sight[M] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wakes those who watch this job, if it was seen differently since the last time."""
        if self.sight is not self.told:
            self.told = self.sight
            self.changed.set()
            self.changed = asyncio.Event()


class Watcher(Generic[M]):
    """Streams jobs as they change, each change as `render` shows it: once, in a thread, for all who watch.

    One task polls for all watchers of a process. A job that `render` fails on fails for its own watchers alone; a
    store that is away fails for nobody who has begun to watch.
    """

    def __init__(self, store: JobStore, render: Callable[[Job], M]) -> None:
        self._store = store
        self._render = render
        self._watched: dict[str, _Watched[M]] = {}
        self._poller: asyncio.Task[None] | None = None
        # A thread of its own, since those of downloads may all wait for the artifact store; one, since then nothing
        # is looked at twice.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watch")

    @property
    def watched(self) -> frozenset[str]:
        """Names of the jobs that somebody watches."""
        return frozenset(self._watched)

    async def watch(self, name: str) -> AsyncIterator[M]:
        """The job now, and again whenever it has changed, until it has ended. Raises NotFound, also when it
        is deleted meanwhile."""
        watched = self._watched.setdefault(name, _Watched())
        watched.watchers += 1
        try:
            await self._refresh([name])
            if self._poller is None:
                self._poller = asyncio.create_task(self._poll())
            shown = GONE
            while True:
                changed, sight = watched.changed, watched.sight
                if sight is not None and sight.error is not None:
                    raise sight.error
                if sight is not None and sight.message is not None and sight.revision > shown:
                    shown = sight.revision
                    yield sight.message
                    if sight.ended:
                        return
                else:
                    await changed.wait()
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                del self._watched[name]
            if not self._watched and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    async def _poll(self) -> None:
        trouble = Trouble(log, "watchers wait for the store")
        while True:
            heard = self._store.bell.rings
            try:
                await self._refresh(list(self._watched))
            except Exception as error:
                # The store is away: watchers wait, health says so, and the next tick asks again.
                trouble.seen(error)
                await asyncio.sleep(1.0)
                continue
            trouble.over()
            await self._next_tick(heard)

    async def _next_tick(self, heard: int) -> None:
        """After TICK_S, or soon after this process has changed a job. Looks at the bell instead of waiting for
        it: that would take a thread from those who work."""
        for _ in range(LOOKS):
            await asyncio.sleep(TICK_S / LOOKS)
            if self._store.bell.rings != heard:
                return

    async def _refresh(self, names: list[str]) -> None:
        """Looks at the named jobs and tells their watchers what is new."""
        asked = {name: self._watched[name] for name in names}
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._look, asked)
        finally:
            for watched in asked.values():
                watched.tell()

    def _look(self, asked: Mapping[str, _Watched[M]]) -> None:
        """Sees again those that are not what they were when they were seen last."""
        revisions = self._store.revisions(asked)
        for name, watched in asked.items():
            if watched.sight is None or watched.sight.revision != revisions.get(name):
                watched.sight = self._sight(name, first=watched.sight is None)

    def _sight(self, name: str, *, first: bool) -> _Sight[M]:
        try:
            job = self._store.get(name)
        except NotFound as error:
            gone = error if first else NotFound(f"{name} was deleted", metadata={"name": name})
            return _Sight(revision=GONE, error=gone)
        try:
            return _Sight(revision=job.revision, ended=job.state.ended, message=self._render(job))
        except Exception as error:
            if as_unavailable(error) is not None:
                raise
            return _Sight(revision=job.revision, error=error)
