"""Workers on a cluster: one Indexed Job for each donna job, one index for each task.

The cluster schedules, restarts and counts; the job store stays the only truth about tasks. Progress, cost and results
flow through the store, so that a Job that runs twice, or a pod that is started twice, changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from urllib3.exceptions import HTTPError

from donna.errors import FailedPrecondition, NotFound
from donna.jobs.kubernetes_job import KIND_LABEL, JobOptions, ObservedJob, job_manifest, job_name, observed
from donna.jobs.kubernetes_silence import Silence, why
from donna.jobs.kubernetes_watch import CONNECT_S, JobWatch, retry_after_s
from donna.jobs.record import Job, JobError, JobState, TaskState
from donna.jobs.store import JobStore
from donna.jobs.unattended import Unattended
from donna.trouble import Trouble

log = logging.getLogger("donna.jobs")

CALL_S = 30.0
SETTLE_S = 1.0
JOIN_S = 5.0
SILENT_S, TELL_EVERY_S = 60.0, 30.0
"""How long nobody works on a job until it is told why, and how often it is told anew."""
CONFLICT, MISSING = 409, 404
WRONG = (400, 422)


class KubernetesJobs:
    """Sees to it that active jobs of a kind have their Job, and that Jobs of ended ones are gone.

    `api_client` is a kubernetes.client.ApiClient. What the service had created before it was restarted, or what
    another replica creates, is found by label: names are the same for the same job. A Job that fails fails its donna
    job, and one that does not get on makes it wait, both with the cluster's own words. `processes` tells how many
    processes each task of a job has.
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
        self._silence = Silence(self._core, namespace, queue=options.queue)
        self._unattended = Unattended(store, kind)
        self._told_at: dict[str, float] = {}
        self._refused: dict[str, str] = {}
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
        trouble = Trouble(log, f"the Jobs of {self._kind} could not be looked after; trying again")
        while not self._stopping.is_set():
            try:
                self._compare()
            except Exception as error:
                trouble.seen(error)
                self._stopping.wait(SETTLE_S)
            else:
                trouble.over()
            assert self._watch is not None  # noqa: S101 - made with the thread
            self._watch.changed.wait(SETTLE_S)
            self._watch.changed.clear()

    def _compare(self) -> None:
        assert self._watch is not None  # noqa: S101 - made with the thread
        listed = self._watch.jobs()
        there = listed or {}
        active = {
            job_name(self._options.template, name): name for name in self._store.active_states(self._kind)
        }
        for name, job in active.items() if listed is not None else ():
            found = there.get(name)
            if found is None:
                if self._unfinished(job):
                    self._create(name, job)
            elif found.failure:
                died = self._silence.deaths(found)
                self._fail(
                    job, f"its Job {name} failed: {found.failure}{died and f'; {died}'}", "WORKERS_FAILED"
                )
            elif found.complete and self._unfinished(job) and not found.deleting:
                log.warning("Job %s is complete, but tasks of %s are not; it is made again", name, job)
                self._delete(found)
        for name, found in there.items():
            if name not in active and not found.deleting and not self._kept(found):
                self._delete(found)
        self._refused = {
            name: said for name, said in self._refused.items() if name in active or name in there
        }
        self._tell(active, there)

    def _tell(self, active: Mapping[str, str], there: Mapping[str, ObservedJob]) -> None:
        """Of jobs on which nobody has worked for a while it is told why; again and again, since it changes."""
        idle_s = self._unattended.look() if active else {}
        self._told_at = {job: at for job, at in self._told_at.items() if job in idle_s}
        for name, job in active.items():
            now = time.monotonic()
            if idle_s.get(job, 0.0) < SILENT_S or now - self._told_at.get(job, -TELL_EVERY_S) < TELL_EVERY_S:
                continue
            self._told_at[job] = now
            found = there.get(name)
            if found is not None:
                waits_for = self._silence.waits_for(found)
            else:
                trouble = self._refused.get(name) or (self._watch.trouble if self._watch else "")
                waits_for = f"its Job {name}: {trouble or 'it is not there yet'}"
            self._unattended.tell(job, waits_for)

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

    def _unfinished(self, job: str) -> bool:
        states = self._store.task_states(job)
        return bool(states.get(TaskState.QUEUED) or states.get(TaskState.RUNNING))

    def _create(self, name: str, job: str) -> None:
        from kubernetes.client import ApiException

        try:
            template = self._core.read_namespaced_pod_template(
                self._options.template, self._namespace, _request_timeout=(CONNECT_S, CALL_S)
            )
            pod = self._core.api_client.sanitize_for_serialization(template.template)
            num_tasks = sum(self._store.task_states(job).values())
            processes = self._processes(self._store.get(job))
            manifest = job_manifest(job, num_tasks, pod, self._options, processes)
            made = self._batch.create_namespaced_job(
                self._namespace, manifest, _request_timeout=(CONNECT_S, CALL_S)
            )
            if self._watch is not None:
                self._watch.put(observed(self._core.api_client.sanitize_for_serialization(made)))
            self._refused.pop(name, None)
            log.info("created Job %s for %s", name, job)
        except ApiException as error:
            if error.status == CONFLICT:  # another replica was faster; the watch will tell
                self._refused.pop(name, None)
            elif error.status == MISSING:
                where = f"PodTemplate {self._options.template} in namespace {self._namespace}"
                self._fail(job, f"there is no {where}", "NO_TEMPLATE")
            elif error.status in WRONG:
                self._fail(job, f"the cluster refuses its Job: {why(error)}", "BAD_TEMPLATE")
            else:
                self._again_later(name, error)
        except FailedPrecondition as error:
            self._fail(job, error.message, error.reason)
        except NotFound:
            log.info("%s was deleted in the meantime", job)
        except (HTTPError, OSError) as error:
            self._again_later(name, error)

    def _delete(self, found: ObservedJob) -> None:
        from kubernetes.client import ApiException

        try:
            self._batch.delete_namespaced_job(
                found.name,
                self._namespace,
                propagation_policy="Background",
                _request_timeout=(CONNECT_S, CALL_S),
            )
            self._refused.pop(found.name, None)
            log.info("deleted Job %s of %s", found.name, found.job)
        except ApiException as error:
            if error.status != MISSING:
                self._again_later(found.name, error)
        except (HTTPError, OSError) as error:
            self._again_later(found.name, error)

    def _again_later(self, name: str, error: Exception) -> None:
        """A Job could not be created or deleted: told once, and again when the cluster says something else."""
        said = why(error)
        if self._refused.get(name) != said:
            self._refused[name] = said
            log.warning("Job %s: %s; trying again", name, said)
        self._stopping.wait(retry_after_s(error) or SETTLE_S)

    def _fail(self, job: str, message: str, reason: str) -> None:
        try:
            self._store.fail(job, JobError(reason=reason, message=message))
        except (FailedPrecondition, NotFound) as error:
            log.info("%s was ended in the meantime: %s", job, error.message)
