"""Every rpc of every service, found in the descriptors, under requests that nobody should send.

Seeded, so that a failure comes back; DONNA_FUZZ sets the number of requests to each rpc and database.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import grpc
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from donna.rpc.status import CODES
from tests import postgres
from tests.trust.everything import RPCS, Served, everything
from tests.trust.generate import anything, changed, repeated, torn

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("DONNA_FUZZ", "3"))
ENDLESS = {rpc for rpc in RPCS if "/Watch" in rpc or rpc.endswith("/Attach")}
KNOWN_CODES = {next(c for c in grpc.StatusCode if c.value[0] == code) for code in CODES.values()}
ALLOWED = KNOWN_CODES - {grpc.StatusCode.INTERNAL}
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class Tracebacks(logging.Handler):
    """Keeps what was logged with a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.seen.append(logging.Formatter().format(record))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("everything")
    if request.param == "sqlite":
        with everything(folder) as all_services:
            yield all_services
        return
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.server() as url, everything(folder, url) as all_services:
        yield all_services


@pytest.fixture
def tracebacks() -> Iterator[Tracebacks]:
    handler = Tracebacks()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def answer(served: Served, rpc: str, requests: list[Any]) -> grpc.StatusCode:
    """How a call ended, which must be one of the documented ways."""
    try:
        served.call(rpc, requests, deadline_s=0.1 if rpc in ENDLESS else 60.0)
    except grpc.RpcError as error:
        assert error.code() in ALLOWED, f"{rpc} answered {error.code()}: {error.details()}"
        assert error.details(), f"{rpc} refused without a word"
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("rpc", sorted(RPCS, key=lambda rpc: ("/Delete" in rpc, rpc)))
def test_a_valid_request_is_known_to_the_fuzzer(served: Served, rpc: str) -> None:
    """Else the mutations of it would all fail at the door."""
    assert rpc in served.valid, f"give everything.py a valid request of {rpc}"
    if "/Delete" in rpc or "/Cancel" in rpc:
        return
    for base in served.valid[rpc]:
        requests = base if RPCS[rpc].client_streaming else [base]
        allowed = {grpc.StatusCode.OK} | ({grpc.StatusCode.DEADLINE_EXCEEDED} if rpc in ENDLESS else set())
        assert answer(served, rpc, requests) in allowed


@pytest.mark.parametrize("rpc", sorted(RPCS, key=lambda rpc: ("/Delete" in rpc, "/Cancel" in rpc, rpc)))
def test_only_documented_answers(served: Served, rpc: str, tracebacks: Tracebacks) -> None:
    method = RPCS[rpc]
    kind = method.input_type._concrete_class
    bases = [base for known in served.valid[rpc] for base in (known if method.client_streaming else [known])]
    words = known_words(served)
    one = (
        anything(kind, words)
        | st.sampled_from(bases).flatmap(lambda base: changed(base, words))
        | st.sampled_from(bases).flatmap(torn)
    )
    several = st.lists(one, max_size=4) | st.lists(one, max_size=2).map(lambda more: [*bases, *more])

    @seed(20261122)
    @fuzzed
    @given(several if method.client_streaming else one.map(lambda request: [request]))
    def attack(requests: list[Any]) -> None:
        answer(served, rpc, requests)
        assert not tracebacks.seen, tracebacks.seen[0]

    attack()


def test_memory_does_not_grow(served: Served) -> None:
    """The same refused requests again and again: what is kept of them is nothing."""
    process = psutil.Process()
    slow = ("/Watch", "/ListSearchDevices", "/ListDevices")  # the last two look at real devices
    refused = [
        rpc for rpc in RPCS if not RPCS[rpc].client_streaming and not any(word in rpc for word in slow)
    ]

    def once() -> None:
        for rpc in refused:
            for data in (b"\xff", b"\x0a\xff\x01", b"\x0a\x03../"):
                answer(served, rpc, [data])

    for _ in range(2):
        once()
    before = process.memory_info().rss
    for _ in range(8):
        once()
    assert process.memory_info().rss - before < 16 << 20


def known_words(served: Served) -> list[str]:
    """Names, hashes and texts that are valid somewhere."""
    words: set[str] = set()

    def walk(message: Any) -> None:
        for field, value in message.ListFields():
            for each in value if repeated(field) else [value]:
                if isinstance(each, str) and field.message_type is None:
                    words.add(each)
                elif hasattr(each, "ListFields"):
                    walk(each)

    for requests in served.valid.values():
        for request in requests:
            for each in request if isinstance(request, list) else [request]:
                walk(each)
    return sorted(words)
