"""Watching jobs: any number of watchers cost one small query per tick, and no thread each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from donna.jobs.record import Job
from donna.jobs.store import JobStore

TICK_S = 0.1


class Watcher:
    """Streams jobs as they change. One polling task serves all watchers of a process."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._known: dict[str, int] = {}
        self._watchers: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self._poller: asyncio.Task[None] | None = None

    async def watch(self, name: str) -> AsyncIterator[Job]:
        """The job now, and again whenever it has changed, until it has ended. Raises NotFound."""
        job = await asyncio.to_thread(self._store.get, name)
        yield job
        self._watchers[name] = self._watchers.get(name, 0) + 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            while not job.state.ended:
                seen = job.revision
                async with self._changed:
                    await self._changed.wait_for(lambda seen=seen: self._known.get(name, seen) != seen)  # type: ignore[misc]
                job = await asyncio.to_thread(self._store.get, name)
                if job.revision > seen:
                    yield job
        finally:
            self._watchers[name] -= 1
            if not self._watchers[name]:
                del self._watchers[name]
                self._known.pop(name, None)

    async def _poll(self) -> None:
        while self._watchers:
            try:
                revisions = await asyncio.to_thread(self._store.revisions, list(self._watchers))
            except Exception:
                # The store is away: watchers wait, health says so, and the next tick asks again.
                await asyncio.sleep(1.0)
                continue
            gone = {name: -1 for name in self._watchers if name not in revisions}
            if any(self._known.get(name) != revision for name, revision in (revisions | gone).items()):
                async with self._changed:
                    self._known.update(revisions | gone)
                    self._changed.notify_all()
            await asyncio.sleep(TICK_S)
