"""Local services beside an agent that asks for a token; and a service that ends while it is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from donna.cli.connect import connect
from donna.errors import FailedPrecondition, InvalidArgument, Unavailable
from donna.local import services
from donna.pipeline.ask import probe_model
from donna.v1 import common_pb2, searcher_pb2

TOKEN = "a token of the agent"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The address of a profiler that lets in whoever shows its token."""
    state, file = tmp_path / "agent", tmp_path / "address"
    (tmp_path / "token").write_text(TOKEN)
    settings = {"STATE": state, "ADDRESS_FILE": file, "TOKEN_FILE": tmp_path / "token"}
    environment = {f"DONNA_PROFILER_{name}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.profiler"],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.05)
        yield file.read_text()
    finally:
        process.terminate()
        process.wait(30)


def test_the_token_is_for_the_device_that_was_given(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/how-to/add-a-device.md has it: an agent with a token, everything else on this machine."""
    monkeypatch.setenv("DONNA_TOKEN_FILE", str(tmp_path / "token"))
    with connect(
        [f"device.board={agent}"], tmp_path / "state", ("predictor", "searcher", "profiler")
    ) as client:
        assert {d.name: d.reachable for d in client.devices.list()} == {"board": True, "local": True}
        settings = common_pb2.MeasurementSettings(min_runs=5, max_runs=10, min_time_ms=1)
        for device in ("board", "local"):
            assert client.devices.measure(device, probe_model(), settings).median_ms > 0
        checked = searcher_pb2.SearchSpec(
            objectives=[searcher_pb2.Objective(metric="METRIC_LATENCY_MS", device="board")]
        )
        client.create(checked, validate_only=True)  # the searcher knows it, and needs no library for that
        checked.objectives.add(metric="METRIC_LATENCY_MS", device="bord")
        with pytest.raises(InvalidArgument, match=r"spec\.objectives\[1\]\.device"):
            client.create(checked, validate_only=True)
    monkeypatch.delenv("DONNA_TOKEN_FILE")
    with connect([f"device.board={agent}"], tmp_path / "state", ("profiler",)) as client:
        (silent,) = client.devices.list()
        assert not silent.reachable and "token" in silent.description


def test_a_service_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with services(tmp_path, only=("predictor",)) as client:
        assert list(client.list("predictors")) == []
        (process,) = [
            child
            for child in psutil.Process().children()
            if child.environ().get("DONNA_PREDICTOR_STATE") == str(tmp_path)
        ]
        process.send_signal(signal.SIGKILL)
        while process.status() != psutil.STATUS_ZOMBIE:  # its end is for its parent to see, not for us
            time.sleep(0.05)
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"the predictor has ended with code -9: .*predictor\.log"):
            list(client.list("predictors"))
        assert time.monotonic() - started < 20


def test_a_service_without_an_address_is_a_sentence(tmp_path: Path) -> None:
    with (
        connect(["searcher=127.0.0.1:1"], tmp_path, ("searcher", "profiler")) as client,
        pytest.raises(FailedPrecondition, match="no address of the distiller"),
    ):
        client.get("blockLibraries/1")
