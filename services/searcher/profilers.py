"""The profilers that this searcher knows, and the devices behind them.

A device is called by its profiler's name when it is that profiler's only one, by `profiler.id` always, and by
its kind when any device of the kind will do. Devices of one kind stand in for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from donna.errors import (
    AlreadyExists,
    DonnaError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from donna.rpc.channel import Peer, Remote
from donna.v1 import profiler_pb2, profiler_pb2_grpc

SURVEY_S = 5.0
"""Deadline of one profiler's answer when all are asked: one that hangs keeps nobody waiting for long."""

NOT_NOW = "DEVICE_NOT_READY"
"""Reason of an error about devices that are known, and cannot be measured on for the time being."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One device of one profiler. `fingerprint` stands for everything that its latencies depend on."""

    name: str
    profiler: str
    device: str
    kind: str
    fingerprint: str
    description: str
    available: bool
    unavailable_reason: str
    queue_length: int
    backend: str
    canary_drift: float
    canary_ms: float
    canary_time: Timestamp


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The sites that answer for one device name; `spares` are of the same kind and only step in."""

    sites: tuple[Site, ...]
    spares: tuple[Site, ...]


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A profiler, who told of it, and the connection to it."""

    peer: Peer
    source: str
    channel: grpc.Channel
    remote: Remote


class Profilers:
    """All profilers. Channels are opened once and reconnect by themselves; they retry nothing, since who measures
    knows better what a broken call means."""

    def __init__(self, peers: Mapping[str, Peer], *, call_deadline_s: float = 30.0) -> None:
        self.call_deadline_s = call_deadline_s
        self._known: dict[str, _Known] = {}
        self._changing = threading.Lock()
        for name, peer in peers.items():
            self.add(name, peer)

    @property
    def names(self) -> tuple[str, ...]:
        """All profilers, sorted."""
        return tuple(sorted(self._known))

    def add(self, name: str, peer: Peer, source: str = "settings") -> None:
        """One more profiler, or a known one that is reached in another way from now on.

        Raises AlreadyExists for a name that another source has told of: nobody takes a name over by using it.
        """
        with self._changing:
            known = self._known.get(name)
            if known is not None and known.source != source:
                raise AlreadyExists(
                    f"the name {name} belongs to a profiler known from the {known.source}",
                    reason="PROFILER_NAME_TAKEN",
                )
            self._open(name, peer, source)

    def reopen(self, name: str) -> None:
        """A new channel in place of one that does not answer any more; the calls on that one end."""
        with self._changing:
            if (known := self._known.get(name)) is not None:
                self._open(name, known.peer, known.source)

    def remove(self, name: str) -> None:
        """Forgets a profiler that is no more; the calls to it end."""
        with self._changing:
            known = self._known.get(name)
            self._known = {other: each for other, each in self._known.items() if other != name}
        if known is not None:
            known.channel.close()

    def _open(self, name: str, peer: Peer, source: str) -> None:
        before = self._known.get(name)
        channel = peer.open(retries=False)
        stub = profiler_pb2_grpc.ProfilerServiceStub
        remote = Remote(stub, channel, token=peer.token, deadline_s=self.call_deadline_s)
        # A new dictionary: other threads may be going through the old one.
        self._known = {
            **self._known,
            name: _Known(peer=peer, source=source, channel=channel, remote=remote),
        }
        if before is not None:
            before.channel.close()

    def peer(self, profiler: str) -> Peer:
        """How a profiler is reached now. Raises NotFound for a name that is not known."""
        try:
            return self._known[profiler].peer
        except KeyError:
            known = ", ".join(self.names) or "none"
            raise NotFound(
                f"profiler {profiler[:80]!r} is not one of this searcher; it knows: {known}"
            ) from None

    def remote(self, profiler: str) -> Remote:
        """The stub of a profiler, for one call: the next one may find it elsewhere. Raises Unavailable."""
        try:
            return self._known[profiler].remote
        except KeyError:
            raise Unavailable(f"profiler {profiler} is not known any more") from None

    def sites(self, profiler: str, deadline_s: float | None = None) -> tuple[Site, ...]:
        """The devices of a profiler now. Raises Unavailable or DeadlineExceeded when it does not answer."""
        devices: list[profiler_pb2.Device] = []
        token = ""
        while True:
            request = profiler_pb2.ListDevicesRequest(page_size=1000, page_token=token)
            try:
                page = self.remote(profiler).ListDevices(request, deadline_s=deadline_s)
            except ValueError as error:  # of gRPC: the channel was replaced since we took it
                raise Unavailable("the connection to it was renewed") from error
            devices.extend(page.devices)
            if not (token := page.next_page_token):
                break
        return tuple(
            Site(
                name=profiler if len(devices) == 1 else f"{profiler}.{device.name.rpartition('/')[2]}",
                profiler=profiler,
                device=device.name,
                kind=device.kind,
                fingerprint=device.fingerprint_sha256,
                description=device.description,
                available=device.available,
                unavailable_reason=device.unavailable_reason,
                queue_length=device.queue_length,
                backend=device.backend,
                canary_drift=device.canary_drift,
                canary_ms=device.canary_ms,
                canary_time=device.canary_time,
            )
            for device in devices
        )

    def survey(self) -> tuple[dict[str, tuple[Site, ...]], dict[str, str]]:
        """The sites of every profiler that answers, and why the others do not, by profiler; all asked at once."""

        def ask(name: str) -> tuple[Site, ...] | str:
            try:
                return self.sites(name, min(SURVEY_S, self.call_deadline_s))
            except DonnaError as error:  # whatever is wrong with one is no reason not to see the others
                return error.message

        names = self.names
        with ThreadPoolExecutor(max(1, len(names))) as threads:
            answers = dict(zip(names, threads.map(ask, names), strict=True))
        found = {name: answer for name, answer in answers.items() if not isinstance(answer, str)}
        return found, {name: answer for name, answer in answers.items() if isinstance(answer, str)}

    def ready(self, kinds: Collection[str]) -> tuple[Site, ...]:
        """The devices of these kinds that can be measured on now."""
        found, _ = self.survey()
        return tuple(
            site for sites in found.values() for site in sites if site.available and site.kind in kinds
        )

    def pool(self, name: str, field: str = "device") -> Pool:
        """The sites that `name` stands for; others of their kind when none of them can be measured on now.

        Raises Unavailable while there are none, or a profiler that may have it does not answer, else InvalidArgument
        naming `field`.
        """
        found, silent = self.survey()
        every = [site for sites in found.values() for site in sites]
        own = [
            site for site in every if name in (site.name, f"{site.profiler}.{site.device.rpartition('/')[2]}")
        ]
        sites = own[:1] or [site for site in every if site.kind == name]
        if sites:
            kinds = {site.kind for site in sites}
            ready = tuple(site for site in sites if site.available)
            spares = tuple(
                site for site in every if site.available and site.kind in kinds and site not in ready
            )
            if not ready and not spares:
                raise Unavailable(
                    f"{sites[0].name} cannot be measured on: {sites[0].unavailable_reason}", reason=NOT_NOW
                )
            return Pool(sites=ready or spares, spares=spares if ready else ())
        if silent and (name.partition(".")[0] in silent or name not in found):
            waiting = ", ".join(f"{profiler} ({reason})" for profiler, reason in sorted(silent.items()))
            raise Unavailable(f"no device {name} answers; these profilers are away: {waiting}")
        known = ", ".join(sorted(site.name for site in every)) or "none"
        raise InvalidArgument.of(field, f"{name!r} is not a device of this searcher; it has: {known}")

    def check(self, name: str, field: str) -> None:
        """Raises InvalidArgument when no device is called `name`, FailedPrecondition when the profilers that might
        know it are away. One that is away itself gets the benefit of the doubt, and so does one that cannot be
        measured on now: a search waits for it."""
        try:
            self.pool(name, field)
        except Unavailable as error:
            if error.reason != NOT_NOW and name.partition(".")[0] not in self.names:
                raise FailedPrecondition(error.message, reason="DEVICE_AWAY") from error
