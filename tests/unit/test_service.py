"""How a service starts: with half of TLS not at all, with a warning where secrets travel in clear text."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.unit.profiler.agent import service


@pytest.mark.parametrize(
    ("given", "missing"), [("TLS_CLIENT_CA", "tls_certificate"), ("TLS_CERTIFICATE", "tls_key")]
)
def test_who_asks_for_some_of_tls_does_not_get_plain_text(tmp_path: Path, given: str, missing: str) -> None:
    (tmp_path / "token").write_text("secret")
    told = {"STATE": tmp_path, "LISTEN": "0.0.0.0:0", "TOKEN_FILE": tmp_path / "token", given: tmp_path / "x"}
    env = os.environ | {f"DONNA_PREDICTOR_{name}": str(value) for name, value in told.items()}
    ended = subprocess.run(
        [sys.executable, "-m", "services.predictor"], env=env, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert f"donna predictor: {missing}: is needed beside what else is set for TLS" in ended.stderr
    assert "Traceback" not in ended.stderr and "serves on" not in ended.stderr


def test_secrets_in_clear_text_are_told_and_connections_may_be_many(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Another file's predictor may be among them.
    others = {child.pid for child in psutil.Process().children()}
    few = len(os.listdir("/proc/self/fd")) + 200  # what this process needs itself
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    try:
        with service(
            "predictor", tmp_path, LISTEN="0.0.0.0:0", TOKEN_FILE=str(tmp_path / "token")
        ) as address:
            (process,) = (p for p in psutil.Process().children() if p.pid not in others)
            soft, _ = process.rlimit(psutil.RLIMIT_NOFILE)
            assert soft == min(65_536, before[1])
            log = (tmp_path / "log").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert f"tokens and weights travel in clear text to {address}" in log and "secret" not in log
