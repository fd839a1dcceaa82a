"""The batch/v1 Job of a donna job: one index for each task. Pure: dictionaries in, dictionaries out."""

from __future__ import annotations

import copy
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from donna.errors import FailedPrecondition

KIND_LABEL = "donna.dev/kind"
NAME_ANNOTATION = "donna.dev/job"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
CONTAINER = "worker"
BAD_CONFIGURATION = 2
"""The exit code of a worker whose settings are wrong: trying again would not help."""
STOPPED = 128 + signal.SIGTERM
"""The exit code of a worker that was told to stop, as by `kubectl delete pod`: its task is back in the queue."""


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How Jobs are run; the pods themselves are described by a PodTemplate of the cluster."""

    template: str
    parallelism: int = 8
    queue: str = ""
    retries: int = 3
    deadline_s: int = 0
    keep_s: int = 3600


def job_name(template: str, name: str) -> str:
    """The Job of the donna job `kind/id`: always the same, so that a service that starts again finds it."""
    return f"{template.removesuffix('-worker')}-{name.rpartition('/')[2]}".lower()


def job_manifest(
    name: str, num_tasks: int, template: Mapping[str, Any], options: JobOptions, processes: int = 1
) -> dict[str, Any]:
    """The Job of the donna job `name`, whose pods are made from the `template` of a PodTemplate.

    The template says what one process needs; a task of several (torchrun, in one pod) is given so many times the
    processors, the memory and the GPUs. The container called "worker" is told job and index. A pod that is evicted,
    preempted or deleted does not count as failed; one that finds its settings wrong fails the Job at once; since a
    donna job needs all its tasks, so does an index that has failed too often. Raises FailedPrecondition for a
    template without a worker.
    """
    pod = copy.deepcopy(dict(template))
    containers = [c for c in pod.get("spec", {}).get("containers", ()) if c["name"] == CONTAINER]
    if not containers:
        raise FailedPrecondition(
            f"the PodTemplate {options.template} has no container {CONTAINER!r}", reason="BAD_TEMPLATE"
        )
    worker = containers[0]
    worker["args"] = [*worker.get("args", ()), "--job", name, "--index", "$(JOB_COMPLETION_INDEX)"]
    for quantities in (worker.get("resources") or {}).values():
        if isinstance(quantities, dict):  # requests and limits; claims are a list
            quantities |= {name: times(processes, text) for name, text in quantities.items()}
    pod["spec"]["restartPolicy"] = "Never"  # failures are counted by the Job
    labels = {KIND_LABEL: name.partition("/")[0]}
    pod["metadata"] = {
        "labels": {**pod.get("metadata", {}).get("labels", {}), **labels},
        "annotations": {**pod.get("metadata", {}).get("annotations", {}), NAME_ANNOTATION: name},
    }
    spec: dict[str, Any] = {
        "completionMode": "Indexed",
        "completions": num_tasks,
        "parallelism": min(num_tasks, options.parallelism),
        "backoffLimitPerIndex": options.retries,
        "maxFailedIndexes": 0,
        "podReplacementPolicy": "Failed",  # never two pods of an index at once because one is slow to end
        "ttlSecondsAfterFinished": options.keep_s,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                _on_exit(BAD_CONFIGURATION, "FailJob"),
                _on_exit(STOPPED, "Ignore"),
            ]
        },
        "template": pod,
    }
    if options.deadline_s:
        spec["activeDeadlineSeconds"] = options.deadline_s
    if options.queue:
        labels = {**labels, QUEUE_LABEL: options.queue}
        spec["suspend"] = True  # until the queue admits it
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(options.template, name),
            "labels": {**labels, "app.kubernetes.io/part-of": "donna"},
            "annotations": {NAME_ANNOTATION: name},
        },
        "spec": spec,
    }


def _on_exit(code: int, action: str) -> dict[str, Any]:
    codes = {"containerName": CONTAINER, "operator": "In", "values": [code]}
    return {"action": action, "onExitCodes": codes}


def times(factor: int, quantity: Any) -> str:
    """`factor` times a quantity of Kubernetes: 2 times "1500m" is "3000m", 2 times 1 is "2"."""
    number, suffix = re.fullmatch(r"([0-9.]+)([a-zA-Z0-9]*)", str(quantity)).groups()  # type: ignore[union-attr]
    return f"{factor * float(number):g}{suffix}" if "." in number else f"{factor * int(number)}{suffix}"


@dataclass(frozen=True, kw_only=True)
class ObservedJob:
    """What the cluster says of a Job: `failure` is a sentence, empty while it has not failed; `suspended` by whoever
    admits it."""

    name: str
    job: str
    complete: bool = False
    failure: str = ""
    deleting: bool = False
    suspended: bool = False

    @property
    def ended(self) -> bool:
        return self.complete or bool(self.failure)


def observed(job: Mapping[str, Any]) -> ObservedJob:
    """What matters of a Job as the API serves it."""
    conditions = {
        condition["type"]: condition
        for condition in (job.get("status") or {}).get("conditions") or ()
        if condition.get("status") == "True"
    }
    failed = conditions.get("Failed")
    return ObservedJob(
        name=job["metadata"]["name"],
        job=(job["metadata"].get("annotations") or {}).get(NAME_ANNOTATION, ""),
        complete="Complete" in conditions,
        failure=f"{failed.get('reason', 'failed')}: {failed.get('message', '')}" if failed else "",
        deleting=bool(job["metadata"].get("deletionTimestamp")),
        suspended=bool((job.get("spec") or {}).get("suspend")),
    )
