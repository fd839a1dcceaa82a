"""Profilers of a cluster, over the real client and an HTTP server that lists pods."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from kubernetes import client

from services.searcher.discovery import Discovery, addresses, device_name


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


@pytest.fixture
def pods() -> Iterator[tuple[Pods, str]]:
    kept = Pods()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            kept.asked.append(self.path)
            self.send_response(kept.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"kind": "PodList", "metadata": {}, "items": kept.items}).encode())

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kept, f"http://127.0.0.1:{server.server_address[1]}"
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
    assert device_name("x" * 60) == "x" * 31
    assert device_name("") == "unnamed"


def test_new_and_moved_profilers_are_told_once(pods: tuple[Pods, str]) -> None:
    kept, url = pods
    told: list[tuple[str, str]] = []
    discovery = Discovery(
        lambda name, address: told.append((name, address)),
        selector="app.kubernetes.io/name=profiler",
        namespace="lab",
        reserved=("local",),
        api_client=client.ApiClient(client.Configuration(host=url)),
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
    with pytest.raises(client.ApiException):
        discovery.look()
    assert len(told) == 3
