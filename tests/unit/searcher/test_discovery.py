"""Profilers of a cluster, over an HTTP server that lists pods, and over TLS by their name."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from donna.cluster_api import ClusterApi
from donna.errors import AlreadyExists, FailedPrecondition, Unavailable
from donna.rpc.channel import Peer
from donna.rpc.tls import channel_credentials, server_credentials
from services.searcher.discovery import Discovery, addresses, device_name
from services.searcher.profilers import Profilers
from tests.unit.rpc.serving import Small, endpoint, serving


def pod(node: str, ip: str, *, ready: bool = True, port: str = "grpc", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": f"profiler-{node}", "labels": labels},
        "spec": {
            "nodeName": node,
            "containers": [
                {
                    "name": "profiler",
                    "ports": [
                        {"name": "health", "containerPort": 50052},
                        {"name": port, "containerPort": 50051},
                    ],
                }
            ],
        },
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class Pods:
    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.status = 200
        self.asked: list[str] = []
        self.tokens: list[str] = []


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[tuple[Pods, ClusterApi]]:
    """What the cluster has, and the API of a service account whose token is "first"."""
    kept = Pods()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            kept.asked.append(self.path)
            kept.tokens.append(self.headers.get("Authorization", ""))
            self.send_response(kept.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"kind": "PodList", "metadata": {}, "items": kept.items}).encode())

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "token").write_text("first\n")
    yield kept, ClusterApi(f"http://127.0.0.1:{server.server_address[1]}", account=tmp_path)
    server.shutdown()
    server.server_close()


def test_only_pods_that_can_be_spoken_to_count() -> None:
    leaving = pod("leaving", "10.0.0.9")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = addresses(
        [
            pod("a", "10.0.0.1"),
            pod("b", "10.0.0.2", ready=False),
            pod("c", "10.0.0.3", port="other"),
            pod("d.example.org", "fd00::4", **{"donna.dev/device": "phone-shelf"}),
            leaving,
        ]
    )
    assert found == {"a": "10.0.0.1:50051", "phone-shelf": "[fd00::4]:50051"}


def test_names_are_what_searches_can_use() -> None:
    assert device_name("node-1.example.org") == "node-1-example-org"
    assert device_name("x" * 31) == "x" * 31
    assert device_name("") == "unnamed"


def test_two_long_names_stay_two() -> None:
    nodes = [f"gke-training-cluster-pool-of-phones-7f3a9c2e-{end}" for end in ("x1k2", "q9zz")]
    found = addresses([pod(node, f"10.0.0.{i}") for i, node in enumerate(nodes)])
    assert sorted(found.values()) == ["10.0.0.0:50051", "10.0.0.1:50051"]
    for name in found:
        assert len(name) == 31 and name.startswith("gke-training-cluster-poo-")


def test_profilers_that_are_new_have_moved_or_are_gone_are_told_once(pods: tuple[Pods, ClusterApi]) -> None:
    kept, api = pods
    told: list[tuple[str, str]] = []

    def on_profiler(name: str, address: str) -> None:
        if name == "local":
            raise AlreadyExists("the name local belongs to a profiler known from the settings")
        told.append((name, address))

    discovery = Discovery(
        on_profiler,
        lambda name: told.append((name, "gone")),
        api=api,
        selector="app.kubernetes.io/name=profiler",
        namespace="lab",
    )
    kept.items = [pod("a", "10.0.0.1"), pod("local", "10.0.0.5")]
    discovery.look()
    discovery.look()
    assert told == [("a", "10.0.0.1:50051")]
    kept.items = [pod("a", "10.0.0.7"), pod("b", "10.0.0.2")]
    discovery.look()
    assert told[1:] == [("a", "10.0.0.7:50051"), ("b", "10.0.0.2:50051")]
    assert "labelSelector=app.kubernetes.io%2Fname%3Dprofiler" in kept.asked[0]
    kept.status = 503
    for _ in range(3):
        with pytest.raises(Unavailable, match="answers 503 to GET /api/v1/namespaces/lab/pods"):
            discovery.look()
    assert len(told) == 3  # nobody says that they are gone
    # One answer without it may be a pod that is being replaced; what has its address after that is a stranger.
    kept.status, kept.items = 200, [pod("b", "10.0.0.2")]
    discovery.look()
    kept.items = [pod("a", "10.0.0.7")]
    discovery.look()
    assert len(told) == 3
    discovery.look()
    assert told[3:] == [("b", "gone")]
    kept.items += [pod("b", "10.0.0.9")]
    discovery.look()
    assert told[4:] == [("b", "10.0.0.9:50051")]


def test_the_token_of_the_account_is_read_again_for_every_request(
    pods: tuple[Pods, ClusterApi], tmp_path: Path
) -> None:
    kept, api = pods
    api.pods("lab", "a=b")
    (tmp_path / "token").write_text("second")
    api.pods("lab", "a=b")
    assert kept.tokens == ["Bearer first", "Bearer second"]


def test_an_api_that_is_away_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        ClusterApi("http://127.0.0.1:1", account=tmp_path).pods("lab", "a=b")


def test_outside_of_a_cluster_there_is_no_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(FailedPrecondition, match="no pod of a cluster"):
        ClusterApi.of_this_pod()


def test_a_profiler_that_moves_is_known_by_the_name_in_its_certificate(tmp_path: Path) -> None:
    """Pods have new addresses all the time, which no certificate can hold."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    certificate, key = str(tmp_path / "tls.crt"), str(tmp_path / "tls.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=profiler", "-addext", "subjectAltName=DNS:profiler", "-keyout", key,
         "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    credentials = channel_credentials(certificate)
    with serving(endpoint(Small()), credentials=server_credentials(certificate, key, "")) as address:
        peer = partial(Peer, address=address, credentials=credentials)
        profilers = Profilers({"named": peer(server_name="profiler")}, call_deadline_s=10)
        assert profilers.sites("named") == ()
        for other in ("", "predictor"):
            profilers.add("other", peer(server_name=other))
            with pytest.raises(Unavailable):
                profilers.sites("other")
