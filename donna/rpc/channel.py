"""The client's end: channels that retry when a service is away, calls that have deadlines and raise donna.errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from donna.errors import DonnaError
from donna.rpc.authentication import HEADER
from donna.rpc.limits import MAX_MESSAGE_BYTES
from donna.rpc.status import from_rpc_error

DEADLINE_S = 60.0
WATCH_DEADLINE_S = 24 * 3600.0
RETRY_S = 0.5
PROFILER = "donna-profiler"
"""Metadata of calls to a searcher's ProfilerService: the name of the profiler that they go on to."""

_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # However quiet a call is: else the pings of a stream that only waits would end after two.
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's own longest pause before it connects again is two minutes.
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_NO_RETRIES = (("grpc.enable_retries", 0),)


wrappers: list[Callable[[grpc.Channel], grpc.Channel]] = []
"""What every channel is wrapped in, to trace its calls for one; put here when a program starts."""


def open_channel(
    address: str,
    credentials: grpc.ChannelCredentials | None = None,
    server_name: str = "",
    options: tuple[tuple[str, Any], ...] = (),
) -> grpc.Channel:
    """A channel to `host:port`; it connects when first used.

    `server_name`, when given, is what the server's certificate is checked for instead of the host; `options` are
    further ones of gRPC.
    """
    options = (*_options(server_name), *options)
    if credentials is None:
        channel = grpc.insecure_channel(address, options=options)
    else:
        channel = grpc.secure_channel(address, credentials, options=options)
    for wrap in wrappers:
        channel = wrap(channel)
    return channel


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server and how it is spoken to: `host:port`, the name in its certificate, the token that it is shown."""

    address: str
    credentials: grpc.ChannelCredentials | None = None
    server_name: str = ""
    token: str = field(default="", repr=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What proves to the server who calls."""
        return ((HEADER, f"Bearer {self.token}"),) if self.token else ()

    def open(self, *, retries: bool = True) -> grpc.Channel:
        """A channel; it connects when first used. Without `retries` it is for callers who try again themselves."""
        more = () if retries else _NO_RETRIES
        return open_channel(self.address, self.credentials, self.server_name, options=more)

    def open_async(self) -> grpc.aio.Channel:
        """A channel of the running event loop, which retries nothing: for calls of somebody who does."""
        options = (*_options(self.server_name), *_NO_RETRIES)
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.address, options=options)
        return grpc.aio.secure_channel(self.address, self.credentials, options=options)


def _options(server_name: str) -> tuple[tuple[str, Any], ...]:
    return (*_OPTIONS, ("grpc.ssl_target_name_override", server_name)) if server_name else _OPTIONS


NEVER_ANSWERED = "NEVER_ANSWERED"
"""The reason of an error about a server that nobody has heard of yet."""


@dataclass
class Line:
    """What the stubs of one address know of it: whether it has answered."""

    answered: bool = False


class Remote:
    """A generated stub whose calls have deadlines, carry the token and `metadata`, and raise donna.errors.

    `remote.GetSearch(request)` calls the rpc of that name; a streaming rpc returns an iterator. A server that has
    answered before, on this `line`, and is away is waited for, up to `patience_s`: it is being restarted. One that
    never answered is not, since its address may be wrong. One that says when to come back is asked again then, within
    the same time. `while_away` is called before each wait, and may raise when there is nobody to wait for.
    A request that is a stream is sent once: what has been taken from an iterator cannot be sent again.
    """

    def __init__(
        self,
        stub: Callable[[grpc.Channel], Any],
        channel: grpc.Channel,
        *,
        token: str = "",
        deadline_s: float = DEADLINE_S,
        patience_s: float = 0.0,
        metadata: Sequence[tuple[str, str]] = (),
        while_away: Callable[[], None] = lambda: None,
        line: Line | None = None,
    ) -> None:
        self._stub = stub(channel)
        self._patience_s = patience_s
        self._line = line or Line()
        self._metadata = (*(((HEADER, f"Bearer {token}"),) if token else ()), *metadata)
        self._deadline_s = deadline_s
        self._while_away = while_away

    def __getattr__(self, rpc: str) -> Callable[..., Any]:
        method = getattr(self._stub, rpc)
        streams = isinstance(method, (grpc.UnaryStreamMultiCallable, grpc.StreamStreamMultiCallable))
        streamed = isinstance(method, (grpc.StreamUnaryMultiCallable, grpc.StreamStreamMultiCallable))

        def call(request: Any, *, deadline_s: float | None = None) -> Any:
            timeout = deadline_s or (WATCH_DEADLINE_S if streams else self._deadline_s)
            wait_until = time.monotonic() + (0.0 if streamed else self._patience_s)
            while True:
                try:
                    response = method(request, timeout=timeout, metadata=self._metadata)
                except grpc.RpcError as error:
                    raised = from_rpc_error(error)
                    wait_s = self._wait_s(error, raised)
                    if wait_s is None or time.monotonic() + wait_s > wait_until:
                        raise raised from None
                    self._while_away()
                    time.sleep(wait_s)
                    continue
                self._line.answered = self._line.answered or not streams
                return _iterate(response) if streams else response

        return call

    def _wait_s(self, error: grpc.RpcError, raised: DonnaError) -> float | None:
        """How long to wait until the call is made again; None when that would not help."""
        if not _is_away(error):
            self._line.answered = True
            return raised.retry_after_s
        if self._line.answered:
            return RETRY_S
        raised.reason = NEVER_ANSWERED
        return None


def _is_away(error: grpc.RpcError) -> bool:
    """Nobody is there, as against a server that says what of its own is away, with details."""
    said = any(name == "grpc-status-details-bin" for name, _ in error.trailing_metadata() or ())
    return error.code() is grpc.StatusCode.UNAVAILABLE and not said


def _iterate(response: Any) -> Iterator[Any]:
    try:
        yield from response
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None
    finally:
        # An interceptor, of traces for one, may have made a generator of it; closed, it lets its call go.
        (response.cancel if hasattr(response, "cancel") else response.close)()
