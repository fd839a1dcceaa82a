"""Profilers found by label through the API of the cluster that the searcher runs in.

A profiler is called by its pod's label `donna.dev/device`, or by its node when there is none, so that it keeps its
name when its pod is replaced: then only its address changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from donna.cluster_api import ClusterApi
from donna.errors import AlreadyExists, Unavailable

log = logging.getLogger("donna.searcher")

DEVICE_LABEL = "donna.dev/device"
PORT_NAME = "grpc"
MOST = 31


def addresses(pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name -> host:port of the pods that are ready and have a port called "grpc"; the first of a name counts."""
    found: dict[str, str] = {}
    for pod in pods:
        status, spec, labels = pod.get("status") or {}, pod["spec"], pod["metadata"].get("labels") or {}
        ready = any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in status.get("conditions") or ()
        )
        ports = [
            port["containerPort"]
            for container in spec["containers"]
            for port in container.get("ports") or ()
            if port.get("name") == PORT_NAME
        ]
        if ready and ports and status.get("podIP") and not pod["metadata"].get("deletionTimestamp"):
            found.setdefault(
                device_name(labels.get(DEVICE_LABEL) or spec.get("nodeName", "")),
                _join(status["podIP"], ports[0]),
            )
    return found


def device_name(text: str) -> str:
    """A name that searches can use: letters, digits, - and _, at most MOST of them.

    The nodes of a cluster share long beginnings: a longer one ends in a piece of its hash, so that two stay two.
    """
    name = re.sub(r"[^A-Za-z0-9_\-]", "-", text).lstrip("-_") or "unnamed"
    return (
        name if len(name) <= MOST else f"{name[: MOST - 7]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    )


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Discovery:
    """Asks for the pods again and again and tells `on_profiler(name, address)` of what is new or has moved, and
    `on_gone(name)` of what an answer has lacked twice in a row: its address may soon be a stranger's.

    `on_profiler` raises AlreadyExists for a name that somebody else has.
    """

    def __init__(
        self,
        on_profiler: Callable[[str, str], None],
        on_gone: Callable[[str], None],
        *,
        api: ClusterApi,
        selector: str,
        namespace: str,
        interval_s: float = 10.0,
    ) -> None:
        self._api = api
        self._on_profiler, self._on_gone = on_profiler, on_gone
        self._selector = selector
        self._namespace = namespace
        self._interval_s = interval_s
        self._told: dict[str, str] = {}
        self._lacking: set[str] = set()

    def look(self) -> dict[str, str]:
        """The profilers that are ready now; news are told. Raises Unavailable."""
        found = addresses(self._api.pods(self._namespace, self._selector))
        for name, address in found.items():
            if self._told.get(name) != address:
                self._tell(name, address)
        lacking = self._told.keys() - found.keys()
        for name in lacking & self._lacking:
            log.info("the profiler of %s is gone", name)
            self._on_gone(name)
            del self._told[name]
        self._lacking = lacking - self._lacking
        return found

    def _tell(self, name: str, address: str) -> None:
        try:
            self._on_profiler(name, address)
        except AlreadyExists as error:
            log.warning("the profiler at %s is not used: %s", address, error.message)
        else:
            log.info("the profiler of %s is at %s", name, address)
            self._told[name] = address

    async def run(self, _address: str) -> None:
        """Looks for as long as the service serves; an API that does not answer is asked again."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except Unavailable as error:  # the profilers that are known stay
                log.warning("no profilers are looked for now: %s", error.message)
            except Exception:  # whatever it is: who stops looking finds no device any more
                log.exception("looking for profilers failed by a defect")
            await asyncio.sleep(self._interval_s)
