"""Pages of long jobs hold fewer, and no job is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from donna.artifacts import ArtifactStore
from donna.errors import InvalidArgument
from donna.jobs import Job, JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.rpc.paging import page_of_jobs
from donna.v1 import searcher_pb2 as pb
from services.predictor.shelf import Shelf


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobStore(engine)
    engine.dispose()


@pytest.mark.parametrize(("bytes_each", "most"), [(0, 4), (300, 3), (700, 1), (5000, 1)])
def test_a_page_fits_and_none_is_left_out(
    store: JobStore, monkeypatch: pytest.MonkeyPatch, bytes_each: int, most: int
) -> None:
    monkeypatch.setattr("donna.rpc.paging.MAX_MESSAGE_BYTES", 2000)
    names = [store.create("searches", {}, [TaskSpec(key="", spec={})]).name for _ in range(7)]

    def respond(jobs: Sequence[Job], token: str) -> pb.ListSearchesResponse:
        shown = [pb.Search(name=job.name, spec=pb.SearchSpec(predictor="x" * bytes_each)) for job in jobs]
        return pb.ListSearchesResponse(searches=shown, next_page_token=token)

    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListSearchesRequest(page_size=4, page_token=token)
        page = page_of_jobs(store, "searches", request, respond)
        assert 1 <= len(page.searches) <= most
        seen += [search.name for search in page.searches]
        if not (token := page.next_page_token):
            break
    assert seen == names[::-1]
    with pytest.raises(InvalidArgument, match="page_size"):
        page_of_jobs(store, "searches", pb.ListSearchesRequest(page_size=-1), respond)


def test_what_is_gone_is_named_all_the_same(tmp_path: Path) -> None:
    """One library that was cleared away must not hide all predictors from who lists them."""
    artifacts = ArtifactStore(tmp_path)
    stored = artifacts.put_bytes(b"a library")
    for describe in (artifacts.named, Shelf(artifacts, limit=1).describe):
        assert describe(stored.sha256) == stored
    artifacts.remove(stored.sha256)
    for describe in (artifacts.named, Shelf(artifacts, limit=1).describe):
        assert (describe(stored.sha256).sha256, describe(stored.sha256).size_bytes) == (stored.sha256, 0)
