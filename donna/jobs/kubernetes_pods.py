"""What the pods and the events of a Job tell: why none works, how one died. Pure: dictionaries in, sentences out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Pod = Mapping[str, Any]
LONGEST = 500
"""Characters of what the cluster says; schedulers list every node."""


def waits_for(pods: Iterable[Pod], events: Iterable[Mapping[str, Any]]) -> str:
    """Why none of these pods works, in the cluster's own words; "" when they say nothing.

    `events` are those of the Job itself: they tell when no pod can even be made, by a quota or a policy.
    """
    pods = list(pods)
    for reason in (reason for pod in pods for reason in _hindrances(pod)):
        return reason[:LONGEST]
    for event in sorted(events, key=_time, reverse=True):
        if event.get("type") == "Warning" and not pods:
            return f"its pods: {event.get('message', '')}"[:LONGEST]
    if started := [pod["metadata"]["name"] for pod in pods if _phase(pod) == "Running"]:
        return f"pod {started[0]}, which runs and has not begun its task"
    return ""


def _hindrances(pod: Pod) -> Iterator[str]:
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    if _phase(pod) not in ("Pending", "Running"):
        return
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"a node for pod {name}: {condition.get('message') or condition.get('reason', '')}"
    for container in _containers(status):
        if waiting := (container.get("state") or {}).get("waiting"):
            said = ": ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
            yield f"pod {name}: {said}"


def deaths(pods: Iterable[Pod]) -> list[str]:
    """How containers of these pods have ended that did not end well, the last ones first."""
    found = []
    for pod in pods:
        for container in _containers(pod.get("status") or {}):
            ended = (container.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode"):
                reason = ended.get("reason", "")
                why = f" ({reason})" if reason not in ("", "Error") else ""
                sentence = f"pod {pod['metadata']['name']} ended with code {ended['exitCode']}{why}"
                found.append((ended.get("finishedAt") or "", sentence))
    return [sentence for _, sentence in sorted(found, reverse=True)]


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _phase(pod: Pod) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _time(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
