"""A picture of a namespace's Jobs that is kept up to date: listed once, then watched."""

from __future__ import annotations

import logging
import threading
from typing import Any

from urllib3.exceptions import HTTPError

from donna.jobs.kubernetes_job import ObservedJob, observed

log = logging.getLogger("donna.jobs")

WATCH_S = 240
CONNECT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
GONE = 410


class JobWatch:
    """Jobs with a label, by name. A thread of its own lists and watches them, through whatever the API does:

    a watch that is too old (410) lists again at once; an API that is busy or away is asked again with growing pauses,
    or when it says (Retry-After).
    """

    def __init__(self, batch: Any, namespace: str, label: str, stopping: threading.Event) -> None:
        self._batch = batch
        self._namespace = namespace
        self._label = label
        self._stopping = stopping
        self._jobs: dict[str, ObservedJob] = {}
        self._lock = threading.Lock()
        self._listed = threading.Event()
        self.changed = threading.Event()
        self.trouble = ""
        """Why the Jobs could not be listed or watched the last time; empty while all is well."""
        self._thread = threading.Thread(target=self._loop, name="kubernetes-watch", daemon=True)
        self._thread.start()

    def jobs(self) -> dict[str, ObservedJob] | None:
        """The Jobs by name; None until they could be listed for the first time."""
        with self._lock:
            return dict(self._jobs) if self._listed.is_set() else None

    def put(self, job: ObservedJob) -> None:
        """Adds a Job that was created here, before the watch tells of it."""
        with self._lock:
            self._jobs.setdefault(job.name, job)

    def close(self) -> None:
        """The thread ends with the event that it was given; a watch that is open is not waited for."""
        self._thread.join(1.0)

    def _loop(self) -> None:
        from kubernetes.client import ApiException

        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                self._watch(self._list())
                pause_s = FIRST_PAUSE_S
            except ApiException as error:
                if error.status == GONE:
                    log.info("the watch of the Jobs is too old; they are listed again")
                    continue
                self.trouble = f"the cluster answers {error.status} when asked for Jobs"
                wait_s = retry_after_s(error) or pause_s
                log.warning("the cluster does not list Jobs (%s); trying again", error.status)
                self._stopping.wait(wait_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except (HTTPError, OSError) as error:
                self.trouble = f"the cluster's API does not answer: {type(error).__name__}"
                log.warning("the cluster's API does not answer (%s); trying again", type(error).__name__)
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception:
                log.exception("the Jobs could not be watched; trying again")
                self._stopping.wait(LONGEST_PAUSE_S)

    def _list(self) -> str:
        listed = self._batch.api_client.sanitize_for_serialization(
            self._batch.list_namespaced_job(
                self._namespace, label_selector=self._label, _request_timeout=(CONNECT_S, 60.0)
            )
        )
        found = [observed(item) for item in listed.get("items") or ()]
        with self._lock:
            self._jobs = {job.name: job for job in found}
        self.trouble = ""
        self._listed.set()
        self.changed.set()
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> None:
        from kubernetes.watch import Watch

        stream = Watch().stream(
            self._batch.list_namespaced_job,
            self._namespace,
            label_selector=self._label,
            resource_version=version,
            timeout_seconds=WATCH_S,
            _request_timeout=(CONNECT_S, WATCH_S + 30.0),
        )
        for event in stream:
            if self._stopping.is_set():
                return
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                job = observed(event["raw_object"])
                with self._lock:
                    if event["type"] == "DELETED":
                        self._jobs.pop(job.name, None)
                    else:
                        self._jobs[job.name] = job
                self.changed.set()


def retry_after_s(error: Exception) -> float | None:
    """How long the API asks to be left alone, at most LONGEST_PAUSE_S; None when it does not say."""
    said = (getattr(error, "headers", None) or {}).get("Retry-After", "")
    return min(float(said), LONGEST_PAUSE_S) if said.isdigit() else None
