"""Resources on bad lines: one job however often it is asked for, watched for as long as it takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import donna
from donna.client import Client, Endpoints, JobFailed
from donna.errors import AlreadyExists, DeadlineExceeded, DonnaError, NotFound, ResourceExhausted, Unavailable
from donna.v1 import common_pb2
from donna.v1 import searcher_pb2 as pb

QUEUED, SUCCEEDED, FAILED = (getattr(common_pb2, f"JOB_STATE_{s}") for s in ("QUEUED", "SUCCEEDED", "FAILED"))


def search(state: int, name: str = "searches/1", **more: Any) -> pb.Search:
    return pb.Search(name=name, job=common_pb2.Job(state=state, **more))  # type: ignore[arg-type]


class Searcher:
    """What became of each request_id, and what a watch yields or raises, one list for each call."""

    def __init__(self) -> None:
        self.jobs: dict[str, pb.Search | DonnaError] = {}
        self.asked: list[str] = []
        self.watches: list[list[pb.Search | DonnaError]] = []

    def CreateSearch(self, request: pb.CreateSearchRequest, deadline_s: float) -> pb.CreateSearchResponse:
        self.asked.append(request.request_id)
        known = self.jobs.get(request.request_id, search(QUEUED))
        if isinstance(known, DonnaError):
            raise known
        return pb.CreateSearchResponse(search=known)

    def WatchSearch(self, request: pb.WatchSearchRequest) -> Iterator[pb.WatchSearchResponse]:
        for item in self.watches.pop(0):
            if isinstance(item, DonnaError):
                raise item
            yield pb.WatchSearchResponse(search=item)

    def GetSearch(self, request: pb.GetSearchRequest) -> pb.GetSearchResponse:
        if request.name != "searches/1":
            raise NotFound(request.name)
        return pb.GetSearchResponse(search=search(SUCCEEDED))


@pytest.fixture
def searcher() -> Searcher:
    return Searcher()


@pytest.fixture
def client(searcher: Searcher) -> Client:
    made = Client(Endpoints())
    made.searcher = searcher
    return made


def test_the_names_of_the_sdk_are_donna_s_own() -> None:
    assert (donna.Client, donna.Endpoints, donna.JobFailed) == (Client, Endpoints, JobFailed)
    assert not hasattr(donna, "Clients")
    code = "import sys, donna; print(sorted({'grpc', 'numpy', 'google'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_same_key_is_the_same_job_until_it_has_failed(client: Client, searcher: Searcher) -> None:
    searcher.jobs = {"k-1": AlreadyExists("another spec"), "k-2": search(FAILED), "k-3": search(QUEUED)}
    searcher.watches = [[search(SUCCEEDED)]]
    assert client.ensure(pb.SearchSpec(), "k").job.state == SUCCEEDED
    assert searcher.asked == ["k-1", "k-2", "k-3"]
    searcher.jobs = {}
    searcher.watches = [[search(FAILED, error=common_pb2.Error(reason="NO_FEASIBLE", message="no network"))]]
    with pytest.raises(JobFailed, match="no network") as failed:
        client.ensure(pb.SearchSpec(), "k")
    assert failed.value.reason == "NO_FEASIBLE"


def test_a_request_without_an_id_has_one_all_the_same(client: Client, searcher: Searcher) -> None:
    client.create(pb.SearchSpec())
    client.create(pb.SearchSpec())
    first, second = searcher.asked
    assert first and second and first != second


@pytest.mark.parametrize(
    "broken",
    [
        Unavailable("restarting"),
        DeadlineExceeded("a day is over"),
        ResourceExhausted("too many watch", retry_after_s=0.1),
    ],
)
def test_a_watch_that_ends_is_begun_again(client: Client, searcher: Searcher, broken: DonnaError) -> None:
    searcher.watches = [[search(QUEUED), broken], [broken], [search(QUEUED), search(SUCCEEDED)]]
    assert client.wait("searches/1").job.state == SUCCEEDED
    assert not searcher.watches


@pytest.mark.parametrize("fatal", [NotFound("gone"), ResourceExhausted("too large")])
def test_what_will_not_pass_is_raised(client: Client, searcher: Searcher, fatal: DonnaError) -> None:
    searcher.watches = [[search(QUEUED), fatal]]
    with pytest.raises(type(fatal)):
        client.wait("searches/1")


def test_a_deletion_that_was_sent_twice_is_one(client: Client, searcher: Searcher) -> None:
    def gone(request: Any) -> None:
        raise NotFound("it has just been deleted")

    searcher.DeleteSearch = gone  # type: ignore[attr-defined]
    client.delete("searches/1")
    with pytest.raises(NotFound):
        client.delete("searches/2")


def store(fail: Callable[[], None]) -> SimpleNamespace:
    """An artifact store that has nothing and takes what it is sent, after `fail`."""

    def take(requests: Iterator[Any], deadline_s: float) -> SimpleNamespace:
        data = [next(requests).chunk.data]
        fail()
        data += [request.chunk.data for request in requests]
        return SimpleNamespace(artifact=b"".join(data))

    return SimpleNamespace(
        FindMissingArtifacts=lambda request: SimpleNamespace(missing_sha256=request.sha256),
        UploadArtifact=take,
    )


@pytest.mark.parametrize(
    "broken", [Unavailable("the line broke"), ResourceExhausted("128 uploads in hand", retry_after_s=0.01)]
)
def test_an_upload_that_breaks_begins_anew(client: Client, broken: DonnaError) -> None:
    breaks = iter([True])

    def fail() -> None:
        if next(breaks, False):
            raise broken

    client._store = store(fail)
    data = b"x" * (3 << 20)
    assert client.upload(data) == data  # type: ignore[comparison-overlap]
