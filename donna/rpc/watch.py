"""Watching jobs: any number of watchers cost one small query per tick, and no thread each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from donna.errors import NotFound
from donna.jobs.record import Job
from donna.jobs.store import JobStore

TICK_S = 0.1
LOOKS = 10
log = logging.getLogger("donna.rpc")


class Watcher:
    """Streams jobs as they change. One polling task asks for all watchers of a process, and reads a job that
    has changed once, however many watch it."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._watchers: dict[str, int] = {}
        self._latest: dict[str, Job | NotFound] = {}
        self._changed = asyncio.Condition()
        self._poller: asyncio.Task[None] | None = None

    @property
    def watched(self) -> frozenset[str]:
        """Names of the jobs that somebody watches."""
        return frozenset(self._watchers)

    async def watch(self, name: str) -> AsyncIterator[Job]:
        """The job now, and again whenever it has changed, until it has ended. Raises NotFound, also when it
        is deleted meanwhile."""
        job = await asyncio.to_thread(self._store.get, name)
        yield job
        self._watchers[name] = self._watchers.get(name, 0) + 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            while not job.state.ended:
                job = await self._newer(name, job.revision)
                yield job
        finally:
            self._watchers[name] -= 1
            if not self._watchers[name]:
                del self._watchers[name]
                self._latest.pop(name, None)

    async def _newer(self, name: str, revision: int) -> Job:
        def news() -> Job | NotFound | None:
            latest = self._latest.get(name)
            return latest if isinstance(latest, NotFound) or (latest and latest.revision > revision) else None

        async with self._changed:
            await self._changed.wait_for(lambda: news() is not None)
            found = news()
        if isinstance(found, Job):
            return found
        raise NotFound(f"{name} was deleted", metadata={"name": name})

    async def _poll(self) -> None:
        while self._watchers:
            heard = self._store.bell.rings
            try:
                changed = await asyncio.to_thread(self._read, list(self._watchers), dict(self._latest))
            except Exception:
                # The store is away: watchers wait, health says so, and the next tick asks again.
                log.warning("watchers wait for the store", exc_info=True)
                await asyncio.sleep(1.0)
                continue
            if changed:
                async with self._changed:
                    self._latest.update(
                        (name, job) for name, job in changed.items() if name in self._watchers
                    )
                    self._changed.notify_all()
            await self._next_tick(heard)

    async def _next_tick(self, heard: int) -> None:
        """After TICK_S, or soon after this process has changed a job. Looks at the bell instead of waiting for
        it: that would take a thread from those who work."""
        for _ in range(LOOKS):
            await asyncio.sleep(TICK_S / LOOKS)
            if self._store.bell.rings != heard:
                return

    def _read(self, names: list[str], latest: dict[str, Job | NotFound]) -> dict[str, Job | NotFound]:
        """Those of the named jobs that are not what they were."""
        revisions = self._store.revisions(names)
        changed: dict[str, Job | NotFound] = {}
        for name in names:
            known = latest.get(name)
            if isinstance(known, Job) and known.revision == revisions.get(name):
                continue
            try:
                changed[name] = self._store.get(name)
            except NotFound as gone:
                changed[name] = gone
        return changed
