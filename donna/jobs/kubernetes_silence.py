"""Asks the cluster why nobody works on a Job, and how its pods died."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from urllib3.exceptions import HTTPError

from donna.jobs.kubernetes_job import ObservedJob
from donna.jobs.kubernetes_pods import deaths, waits_for
from donna.jobs.kubernetes_watch import CONNECT_S

log = logging.getLogger("donna.jobs")

ASK_S = 15.0
MOST = 100
"""Pods and events that are listed; one sentence comes of them."""


class Silence:
    """Explains Jobs of a namespace that say nothing by themselves. Needs the right to list pods and events there."""

    def __init__(self, core: Any, namespace: str, *, queue: str = "") -> None:
        self._core = core
        self._namespace = namespace
        self._queue = queue

    def waits_for(self, job: ObservedJob) -> str:
        """For what the Job waits. Never raises: when the cluster does not tell, that is said."""
        if job.suspended:
            by = f"queue {self._queue} to admit it" if self._queue else "somebody to resume it"
            return f"its Job {job.name} is suspended and waits for {by}"
        try:
            events = self._listed(
                self._core.list_namespaced_event,
                field_selector=f"involvedObject.kind=Job,involvedObject.name={job.name}",
            )
            found = waits_for(self._pods(job.name), events)
        except Exception as error:
            return f"the pods of its Job {job.name} ({why(error)})"
        return found or f"the cluster to start pods of its Job {job.name}"

    def deaths(self, job: ObservedJob) -> str:
        """How its pods ended that did not end well, the last one first; "" when nobody knows any more."""
        try:
            return "; ".join(deaths(self._pods(job.name))[:3])
        except Exception as error:
            log.info("the pods of %s are not known: %s", job.name, why(error))
            return ""

    def _pods(self, name: str) -> list[dict[str, Any]]:
        """Those that have something to tell: pods that did well are many, and would fill the list."""
        return self._listed(
            self._core.list_namespaced_pod,
            label_selector=f"batch.kubernetes.io/job-name={name}",
            field_selector="status.phase!=Succeeded",
        )

    def _listed(self, ask: Callable[..., Any], **selector: str) -> list[dict[str, Any]]:
        listed = ask(self._namespace, limit=MOST, _request_timeout=(CONNECT_S, ASK_S), **selector)
        return self._core.api_client.sanitize_for_serialization(listed).get("items") or []


def why(error: Exception) -> str:
    """What the API says, without the wrapping; a sentence too when it says nothing."""
    from kubernetes.client import ApiException

    if isinstance(error, ApiException):
        try:
            said = str(json.loads(error.body)["message"])
        except (TypeError, ValueError, KeyError):
            said = str(error.reason)
        return f"the cluster answers {error.status}: {said}"[:1000]
    if isinstance(error, (HTTPError, OSError)):
        return f"the cluster's API does not answer: {type(error).__name__}"
    return str(error)
