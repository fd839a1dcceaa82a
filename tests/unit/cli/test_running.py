"""Services find each other's commands by the state folder; what is gone is not found."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from donna.client import Endpoints
from donna.running import FILE, announced, running


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Endpoints(predictor=f"127.0.0.1:{server.getsockname()[1]}", profilers={"local": "127.0.0.1:1"})


def test_services_are_found_while_they_run(tmp_path: Path, endpoints: Endpoints) -> None:
    assert running(tmp_path) is None
    with announced(tmp_path, endpoints, lasting=True):
        found = running(tmp_path)
        assert found is not None and found.pid == os.getpid() and found.lasting
        assert found.endpoints == endpoints
    assert running(tmp_path) is None and not (tmp_path / FILE).exists()


def test_the_first_to_announce_stays(tmp_path: Path, endpoints: Endpoints) -> None:
    with announced(tmp_path, endpoints, lasting=True):
        with announced(tmp_path, Endpoints(predictor="127.0.0.1:9"), lasting=False):
            pass
        found = running(tmp_path)
        assert found is not None and found.endpoints == endpoints


def test_a_process_that_is_gone_is_not_running(tmp_path: Path, endpoints: Endpoints) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    entry = {"pid": ended.pid, "lasting": True, "endpoints": {"predictor": endpoints.predictor}}
    (tmp_path / FILE).write_text(json.dumps(entry))
    assert running(tmp_path) is None


def test_a_number_taken_over_by_another_process_is_not_enough(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    entry = {"pid": os.getpid(), "lasting": True, "endpoints": {"predictor": f"127.0.0.1:{port}"}}
    (tmp_path / FILE).write_text(json.dumps(entry))
    assert running(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": 1, "lasting": true, "endpoints": {"moon": "x"}}'])
def test_a_file_that_says_nothing_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert running(tmp_path) is None
