"""The pages of running searches: what they show, when they refresh, and to whom they do not answer."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from donna.errors import FailedPrecondition, InvalidArgument
from donna.jobs import JobStore
from donna.v1 import searcher_pb2 as pb
from tests.unit.jobs.clock import eventually
from tests.unit.searcher.fakes import FakePredictor, FakeProfiler
from tests.unit.searcher.libraries import build_library
from tests.unit.searcher.test_service import ACCURACY, LATENCY, MACS, NUM_OPTIONS, run, spec


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


def ask(address: str, path: str, host: str = "") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def data(page: str) -> dict[str, Any]:
    """What the page of a search was told."""
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_search_that_has_ended_is_shown_whole(artifacts, fake, searcher) -> None:
    library, address = build_library(NUM_OPTIONS, artifacts), free_address()
    service = searcher(predictor=fake(FakePredictor(library)).address, live_listen=address)
    assert "none yet" in ask(address, "/")[2]
    search = run(service, spec(library, ACCURACY, MACS))
    status, headers, page = ask(address, f"/{search.name}")
    assert status == 200 and "Refresh" not in headers
    told = data(page)
    assert [p["architecture"] for p in told["front"]] == [
        "-".join(map(str, point.architecture.choices)) for point in search.front
    ]
    assert told["evaluations"]["total"] == search.num_evaluations
    assert told["headline"] == "The search has succeeded: generation 8 of 8."
    assert len(told["library"]["blocks"]) == 4
    assert f'href="/{search.name}"' in ask(address, "/")[2]
    service.parts.close()


def test_a_search_that_runs_refreshes(artifacts, fake, searcher) -> None:
    library, address = build_library(NUM_OPTIONS, artifacts), free_address()
    profiler = fake(FakeProfiler(library, pause_s=0.05))
    service = searcher(
        predictor=fake(FakePredictor(library)).address,
        profilers=f"cpu={profiler.address}",
        live_listen=address,
    )
    message = spec(library, ACCURACY, LATENCY, generations=500)
    name = service.remote.CreateSearch(pb.CreateSearchRequest(spec=message)).search.name
    told = eventually(lambda: (page := data(ask(address, f"/{name}")[2]))["front"] and page)
    assert told["devices"] == {"cpu": {}} and told["reference"] is None
    status, headers, _ = ask(address, f"/{name}")
    assert status == 200 and int(headers["Refresh"]) > 0
    service.remote.CancelSearch(pb.CancelSearchRequest(name=name))
    assert "cancelled" in data(ask(address, f"/{name}")[2])["headline"]
    service.parts.close()


def test_what_is_not_there_and_who_is_not_meant(searcher) -> None:
    address = free_address()
    service = searcher(live_listen=address)
    assert ask(address, "/searches/1f2e")[0] == 404
    assert ask(address, "/../etc/passwd")[0] == 404
    assert ask(address, "/", host="evil.example.org")[0] == 403
    assert ask(address, "/", host="localhost:80")[0] == 200
    with pytest.raises(FailedPrecondition, match="cannot listen"):
        searcher(live_listen=address)
    with pytest.raises(InvalidArgument, match="must be a loopback address"):
        searcher(live_listen="0.0.0.0:8080")
    service.parts.close()


def test_a_store_that_is_away_is_a_sentence_that_refreshes(searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    address = free_address()
    service = searcher(live_listen=address)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("select", {}, Exception("connection refused"))

    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "list", away)
        status, headers, page = ask(address, "/")
    assert (status, page) == (503, "the job store does not answer; nothing was changed")
    assert int(headers["Refresh"]) > 0
    assert ask(address, "/")[0] == 200
    service.parts.close()
