"""Every rpc of every service, found in the descriptors, under requests that nobody should send.

Seeded, so that a failure comes back; DONNA_FUZZ sets the number of requests to each rpc and database.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from typing import Any

import grpc
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests import postgres
from tests.trust.everything import RPCS, Served, everything
from tests.trust.generate import anything, changed, repeated, torn

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("DONNA_FUZZ", "10"))
ENDLESS = {rpc for rpc in RPCS if "/Watch" in rpc or rpc.endswith("/Attach")}
UPLOADS = {rpc for rpc in RPCS if "/Upload" in rpc}
ORDERS = {rpc for rpc in RPCS if "/Create" in rpc}
Code = grpc.StatusCode
ALWAYS = {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION}
SOME = {
    Code.ALREADY_EXISTS: {*ORDERS, "/donna.v1.DeviceHubService/Attach"},
    Code.RESOURCE_EXHAUSTED: {*ORDERS, *UPLOADS},
    Code.DATA_LOSS: UPLOADS,
    Code.DEADLINE_EXCEEDED: ENDLESS,  # of these the deadline is short; nothing else may ever come to its own
}
"""What each rpc may answer here, where every service is there and well, and everybody may call."""
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
    allowed = ALWAYS | {code for code, rpcs in SOME.items() if rpc in rpcs}
    try:
        served.call(rpc, requests, deadline_s=0.1 if rpc in ENDLESS else 60.0)
    except grpc.RpcError as error:
        assert error.code() in allowed, f"{rpc} answered {error.code()}: {error.details()}"
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
        assert answer(served, rpc, requests) in {
            Code.OK,
            *([Code.DEADLINE_EXCEEDED] if rpc in ENDLESS else []),
        }


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
    """The same requests again and again, good ones, refused ones and streams: what is kept of them is nothing."""
    process = psutil.Process()
    # Devices are really looked at, inspection builds networks, and a job that is gone cannot be asked for again.
    left_out = ("/ListSearchDevices", "/ListDevices", "/GetDevice", "/InspectReference", "/Delete", "/Cancel")
    names = [rpc for rpc in RPCS if not any(word in rpc for word in left_out)]

    def once() -> None:
        for rpc in names:
            streams = RPCS[rpc].client_streaming
            if rpc not in ENDLESS | ORDERS:  # of which each would be one more in the store
                for base in served.valid[rpc]:
                    answer(served, rpc, base if streams else [base])
            for data in (b"\xff", b"\x0a\xff\x01", b"\x0a\x03../"):
                answer(served, rpc, [data])
        for rpc in sorted(ENDLESS):
            answer(served, rpc, served.valid[rpc][0] if RPCS[rpc].client_streaming else served.valid[rpc])

    def megabytes() -> float:
        gc.collect()
        return process.memory_info().rss / 2**20

    for _ in range(5):
        once()
    grown = []
    for _ in range(3):
        before = megabytes()
        for _ in range(10):
            once()
        grown.append(megabytes() - before)
    assert min(grown) < 0.5, f"each of three times 1,700 calls left {grown} MiB behind"


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
