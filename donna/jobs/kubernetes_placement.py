"""Workers on a cluster: one Indexed Job for each donna job, one index for each task.

The cluster schedules, restarts and counts; the job store stays the only truth about tasks. Progress, cost and results
flow through the store, so that a Job that runs twice, or a pod that is started twice, changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from urllib3.exceptions import HTTPError

from donna.errors import DonnaError, FailedPrecondition, NotFound
from donna.jobs.kubernetes_job import KIND_LABEL, JobOptions, ObservedJob, job_manifest, job_name
from donna.jobs.kubernetes_watch import CONNECT_S, JobWatch, retry_after_s
from donna.jobs.record import Job, JobError, JobState, TaskState
from donna.jobs.store import JobStore

log = logging.getLogger("donna.jobs")

CALL_S = 30.0
SETTLE_S = 1.0
JOIN_S = 5.0
CONFLICT, MISSING, INVALID = 409, 404, 422


class KubernetesJobs:
    """Sees to it that active jobs of a kind have their Job, and that Jobs of ended ones are gone.

    `api_client` is a kubernetes.client.ApiClient. What the service had created before it was restarted, or what
    another replica creates, is found by label: names are the same for the same job. A Job that fails fails its donna
    job, with the cluster's own words. `processes` tells how many processes each task of a job has.
    """

    failing = False  # a Job whose pods keep dying ends, and its donna job with it

    def __init__(
        self,
        store: JobStore,
        kind: str,
        api_client: Any,
        *,
        namespace: str,
        options: JobOptions,
        processes: Callable[[Job], int] = lambda job: 1,
    ) -> None:
        from kubernetes.client import BatchV1Api, CoreV1Api

        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._options = options
        self._processes = processes
        self._batch = BatchV1Api(api_client)
        self._core = CoreV1Api(api_client)
        self._looked_at: set[str] = set()
        self._stopping = threading.Event()
        self._watch: JobWatch | None = None
        self._thread: threading.Thread | None = None

    def place(self, wanted: int) -> None:
        """Wakes the thread that compares the store's jobs with the cluster's."""
        if self._thread is None:
            label = f"{KIND_LABEL}={self._kind}"
            self._watch = JobWatch(self._batch, self._namespace, label, self._stopping)
            self._thread = threading.Thread(target=self._loop, name=f"jobs-{self._kind}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stops looking after the Jobs; they go on, and the next service finds them."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.changed.set()
            self._watch.close()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._compare()
            except Exception:
                log.warning("the Jobs of %s could not be looked after", self._kind, exc_info=True)
                self._stopping.wait(SETTLE_S)
            assert self._watch is not None  # noqa: S101 - made with the thread
            self._watch.changed.wait(SETTLE_S)
            self._watch.changed.clear()

    def _compare(self) -> None:
        there = self._watch.jobs() if self._watch else None
        if there is None:
            return
        active = {job_name(self._options.template, job.name): job for job in self._store.active(self._kind)}
        for name, job in active.items():
            found = there.get(name)
            if found is None:
                if self._unfinished(job):
                    self._create(job)
            elif found.failure:
                self._fail(job, f"its Job {name} failed: {found.failure}", "WORKERS_FAILED")
            elif found.complete and self._unfinished(job) and not found.deleting:
                log.warning("Job %s is complete, but tasks of %s are not; it is made again", name, job.name)
                self._delete(found)
        for name, found in there.items():
            if name not in active and not found.deleting and not self._kept(found):
                self._delete(found)

    def _kept(self, found: ObservedJob) -> bool:
        """Whether a Job may be looked at until its time is over: not that of a cancelled job, and not one that still
        works for a job that has failed. The pods of one that has succeeded end by themselves."""
        if found.name not in self._looked_at:
            try:
                state = self._store.get(found.job).state
            except NotFound:
                return False
            if state is JobState.CANCELLED or (state is JobState.FAILED and not found.ended):
                return False
            if found.ended:
                self._looked_at.add(found.name)
        return True

    def _unfinished(self, job: Job) -> bool:
        states = self._store.task_states(job.name)
        return bool(states.get(TaskState.QUEUED) or states.get(TaskState.RUNNING))

    def _create(self, job: Job) -> None:
        from kubernetes.client import ApiException

        try:
            template = self._core.read_namespaced_pod_template(
                self._options.template, self._namespace, _request_timeout=(CONNECT_S, CALL_S)
            )
            pod = self._core.api_client.sanitize_for_serialization(template.template)
            num_tasks = sum(self._store.task_states(job.name).values())
            manifest = job_manifest(job.name, num_tasks, pod, self._options, self._processes(job))
            self._batch.create_namespaced_job(self._namespace, manifest, _request_timeout=(CONNECT_S, CALL_S))
            log.info("created Job %s for %s", manifest["metadata"]["name"], job.name)
        except ApiException as error:
            if error.status == CONFLICT:  # another replica was faster; the watch will tell
                return
            if error.status == MISSING:
                where = f"PodTemplate {self._options.template} in namespace {self._namespace}"
                self._fail(job, f"there is no {where}", "NO_TEMPLATE")
            elif error.status == INVALID:
                self._fail(
                    job, f"the cluster refuses its Job: {error.body or error.reason}"[:2000], "BAD_TEMPLATE"
                )
            else:
                self._pause(error)
        except FailedPrecondition as error:
            self._fail(job, error.message, error.reason)
        except (HTTPError, OSError):
            log.warning("the cluster's API does not answer; the Job of %s is tried again", job.name)
            self._stopping.wait(SETTLE_S)

    def _delete(self, found: ObservedJob) -> None:
        from kubernetes.client import ApiException

        try:
            self._batch.delete_namespaced_job(
                found.name,
                self._namespace,
                propagation_policy="Background",
                _request_timeout=(CONNECT_S, CALL_S),
            )
            log.info("deleted Job %s of %s", found.name, found.job)
        except ApiException as error:
            if error.status != MISSING:
                self._pause(error)
        except (HTTPError, OSError):
            log.warning("the cluster's API does not answer; Job %s is deleted later", found.name)
            self._stopping.wait(SETTLE_S)

    def _pause(self, error: Any) -> None:
        log.warning("the cluster's API says %s %s; trying again", error.status, error.reason)
        self._stopping.wait(retry_after_s(error) or SETTLE_S)

    def _fail(self, job: Job, message: str, reason: str) -> None:
        try:
            self._store.fail(job.name, JobError(reason=reason, message=message))
        except (FailedPrecondition, NotFound) as error:
            log.info("%s was ended in the meantime: %s", job.name, error.message)
        except DonnaError:
            raise
