"""The profilers that this searcher knows, and the devices behind them.

A device is called by its profiler's name when it is that profiler's only one, by `profiler.id` always, and by
its kind when any device of the kind will do. Devices of one kind stand in for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from donna.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from donna.rpc.channel import Peer, Remote
from donna.v1 import profiler_pb2, profiler_pb2_grpc


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


class Profilers:
    """All profilers. Channels are opened once and reconnect by themselves."""

    def __init__(self, peers: Mapping[str, Peer], *, call_deadline_s: float = 30.0) -> None:
        self._call_deadline_s = call_deadline_s
        self._peers: dict[str, Peer] = {}
        self._remotes: dict[str, Remote] = {}
        for name, peer in peers.items():
            self.add(name, peer)

    @property
    def names(self) -> tuple[str, ...]:
        """All profilers, sorted."""
        return tuple(sorted(self._remotes))

    def add(self, name: str, peer: Peer) -> None:
        """One more profiler, or a known one that is reached in another way from now on."""
        stub = profiler_pb2_grpc.ProfilerServiceStub
        remote = Remote(stub, peer.open(), token=peer.token, deadline_s=self._call_deadline_s)
        # New dictionaries: other threads may be going through the old ones.
        self._peers = {**self._peers, name: peer}
        self._remotes = {**self._remotes, name: remote}

    def peer(self, profiler: str) -> Peer:
        """How a profiler is reached now. Raises NotFound for a name that is not known."""
        try:
            return self._peers[profiler]
        except KeyError:
            known = ", ".join(self.names) or "none"
            raise NotFound(
                f"profiler {profiler[:80]!r} is not one of this searcher; it knows: {known}"
            ) from None

    def remote(self, profiler: str) -> Remote:
        """The stub of a profiler."""
        return self._remotes[profiler]

    def sites(self, profiler: str) -> tuple[Site, ...]:
        """The devices of a profiler now. Raises Unavailable or DeadlineExceeded when it does not answer."""
        devices: list[profiler_pb2.Device] = []
        token = ""
        while True:
            page = self.remote(profiler).ListDevices(
                profiler_pb2.ListDevicesRequest(page_size=1000, page_token=token)
            )
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
                return self.sites(name)
            except (Unavailable, DeadlineExceeded) as error:
                return error.message

        with ThreadPoolExecutor(max(1, len(self.names))) as threads:
            answers = dict(zip(self.names, threads.map(ask, self.names), strict=True))
        found = {name: answer for name, answer in answers.items() if not isinstance(answer, str)}
        return found, {name: answer for name, answer in answers.items() if isinstance(answer, str)}

    def pool(self, name: str, field: str = "device") -> Pool:
        """The sites that `name` stands for.

        Raises Unavailable while a profiler that may have it does not answer, else InvalidArgument naming
        `field`.
        """
        found, silent = self.survey()
        every = [site for sites in found.values() for site in sites]
        own = [
            site for site in every if name in (site.name, f"{site.profiler}.{site.device.rpartition('/')[2]}")
        ]
        sites = own[:1] or [site for site in every if site.kind == name]
        ready = [site for site in sites if site.available]
        if sites and not ready:
            raise Unavailable(f"{sites[0].name} cannot be measured on: {sites[0].unavailable_reason}")
        if ready:
            kinds = {site.kind for site in ready}
            return Pool(
                sites=tuple(ready),
                spares=tuple(
                    site for site in every if site.available and site.kind in kinds and site not in ready
                ),
            )
        if silent and (name.partition(".")[0] in silent or name not in found):
            waiting = ", ".join(f"{profiler} ({reason})" for profiler, reason in sorted(silent.items()))
            raise Unavailable(f"no device {name} answers; these profilers are away: {waiting}")
        known = ", ".join(sorted(site.name for site in every)) or "none"
        raise InvalidArgument.of(field, f"{name!r} is not a device of this searcher; it has: {known}")

    def check(self, name: str, field: str) -> None:
        """Raises InvalidArgument when no device is called `name`, FailedPrecondition when the profilers that might
        know it are away. One that is away itself gets the benefit of the doubt: a search waits for it."""
        try:
            self.pool(name, field)
        except Unavailable as error:
            if name.partition(".")[0] not in self.names:
                raise FailedPrecondition(error.message, reason="DEVICE_AWAY") from error
