"""An HTTP server of ours that behaves as batch/v1 of a cluster does: create, conflict, list, watch, delete, faults.

`pods`, when given, are what runs for every index of a Job, as the Job controller and the kubelets would see to it.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

TEMPLATES = "/api/v1/namespaces/lab/podtemplates"
PODS, EVENTS = "/api/v1/namespaces/lab/pods", "/api/v1/namespaces/lab/events"
Pod = Callable[[dict[str, Any], int], int]


class Cluster:
    """State of the server. `faults` are answered first, one a request: (method, status, headers); `refusal` is what
    every creation of a Job is answered while it is set: (status, message). `pods_there` and `events_there` are listed,
    to whoever selects those of a Job: of pods those of other phases than the selector says, no more than the limit."""

    def __init__(self, pods: Pod | None = None) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.pods_there: list[dict[str, Any]] = []
        self.events_there: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None
        self.faults: list[tuple[str, int, dict[str, str]]] = []
        self.forgotten = 0
        self.delay_s = 0.0
        self._pods = pods
        self._lock = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self._down = False

    def start(self) -> str:
        cluster = self
        self._down = False

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                cluster._answer(self, "GET")

            def do_POST(self) -> None:
                cluster._answer(self, "POST")

            def do_DELETE(self) -> None:
                cluster._answer(self, "DELETE")

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """The API is down; what is in the cluster stays."""
        assert self._server is not None
        with self._lock:
            self._down = True
            self._lock.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Watches from before are too old now."""
        with self._lock:
            self.forgotten = len(self.events)
            self._lock.notify_all()

    def set_condition(self, name: str, kind: str, reason: str = "", message: str = "") -> None:
        with self._lock:
            job = self.jobs[name]
            condition = {"type": kind, "status": "True", "reason": reason, "message": message}
            job.setdefault("status", {})["conditions"] = [condition]
            self._tell("MODIFIED", job)

    def _tell(self, kind: str, job: dict[str, Any]) -> None:
        self.events.append({"type": kind, "object": job})
        job["metadata"]["resourceVersion"] = str(len(self.events))
        self.events[-1]["object"] = json.loads(json.dumps(job))
        self._lock.notify_all()

    def _answer(self, http: BaseHTTPRequestHandler, method: str) -> None:
        url = urlparse(http.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        body = json.loads(http.rfile.read(int(http.headers.get("Content-Length") or 0)) or b"{}")
        what = f"{method} {'watch' if 'watch' in query else url.path.rpartition('/')[2]}"
        if self._down:  # a connection from before
            http.close_connection = True
            return
        self.requests.append(what)
        time.sleep(self.delay_s)
        fault = next((f for f in self.faults if what.startswith(f[0])), None)
        if fault is not None:
            self.faults.remove(fault)
            _send(http, fault[1], _status(fault[1], "injected"), fault[2])
        elif url.path.startswith(TEMPLATES):
            self._one(http, self.templates, url.path)
        elif url.path in (PODS, EVENTS):
            selector = query.get("labelSelector") or query["fieldSelector"]
            assert "job-name=" in selector or "involvedObject.name=" in selector
            items = self.events_there
            if url.path == PODS:
                unwanted = query["fieldSelector"].removeprefix("status.phase!=")
                items = [pod for pod in self.pods_there if pod["status"]["phase"] != unwanted]
            items = items[: int(query["limit"])]
            _send(http, 200, {"kind": "List", "metadata": {}, "items": items})
        elif method == "POST" and self.refusal is not None:
            _send(http, self.refusal[0], _status(*self.refusal))
        elif method == "POST":
            self._create(http, body)
        elif method == "DELETE":
            self._delete(http, url.path.rpartition("/")[2])
        elif "watch" in query:
            self._watch(http, int(query["resourceVersion"]), query["labelSelector"])
        else:
            with self._lock:
                items = [job for job in self.jobs.values() if _labelled(job, query["labelSelector"])]
                version = {"resourceVersion": str(len(self.events))}
                _send(http, 200, {"kind": "JobList", "metadata": version, "items": items})

    def _one(self, http: BaseHTTPRequestHandler, kept: dict[str, Any], path: str) -> None:
        found = kept.get(path.rpartition("/")[2])
        _send(http, 200 if found else 404, found or _status(404, "not found"))

    def _create(self, http: BaseHTTPRequestHandler, job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        with self._lock:
            if name in self.jobs:
                _send(http, 409, _status(409, "AlreadyExists"))
                return
            self.jobs[name] = job
            self._tell("ADDED", job)
            _send(http, 201, job)
        if self._pods is not None and not job["spec"].get("suspend"):
            threading.Thread(target=self._run, args=(name, job), daemon=True).start()

    def _run(self, name: str, job: dict[str, Any]) -> None:
        """What the Job controller does with indexes one after another, and one exit code for each."""
        assert self._pods is not None
        for index in range(job["spec"]["completions"]):
            failures = 0
            while (code := self._pods(job, index)) != 0:
                if name not in self.jobs:
                    return
                action = _on_exit(job, code)
                failures += action == "Count"
                if action == "FailJob" or failures > job["spec"]["backoffLimitPerIndex"]:
                    reason = "PodFailurePolicy" if action == "FailJob" else "MaxFailedIndexesExceeded"
                    self.set_condition(name, "Failed", reason, f"index {index} exited with {code}")
                    return
        if name in self.jobs:
            self.set_condition(name, "Complete")

    def delete(self, name: str) -> dict[str, Any] | None:
        """The Job that was there, None when there was none."""
        with self._lock:
            job = self.jobs.pop(name, None)
            if job is not None:
                self._tell("DELETED", job)
        return job

    def _delete(self, http: BaseHTTPRequestHandler, name: str) -> None:
        job = self.delete(name)
        _send(http, 200 if job else 404, job or _status(404, "not found"))

    def _watch(self, http: BaseHTTPRequestHandler, version: int, label: str) -> None:
        http.send_response(200)
        http.send_header("Content-Type", "application/json")
        http.send_header("Transfer-Encoding", "chunked")
        http.end_headers()
        server, ends_at = self._server, time.monotonic() + 20
        try:
            while self._server is server and not self._down and time.monotonic() < ends_at:
                with self._lock:
                    if version < self.forgotten:
                        _line(http, {"type": "ERROR", "object": _status(410, "too old resource version")})
                        break
                    new, version = self.events[version:], len(self.events)
                    if not new and not self._lock.wait(0.5):
                        continue
                for event in new:
                    if _labelled(event["object"], label):
                        _line(http, event)
            http.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        finally:
            http.close_connection = True


def _on_exit(job: dict[str, Any], code: int) -> str:
    """What the first rule of the failure policy says that knows the code."""
    rules = job["spec"]["podFailurePolicy"]["rules"]
    return next((r["action"] for r in rules if code in r.get("onExitCodes", {}).get("values", ())), "Count")


def _labelled(job: dict[str, Any], selector: str) -> bool:
    key, _, value = selector.partition("=")
    return job["metadata"].get("labels", {}).get(key) == value


def _status(code: int, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "message": message,
        "reason": message,
    }


def _send(http: BaseHTTPRequestHandler, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
    data = json.dumps(body).encode()
    http.send_response(code)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        http.send_header(name, value)
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)


def _line(http: BaseHTTPRequestHandler, event: dict[str, Any]) -> None:
    data = json.dumps(event).encode() + b"\n"
    http.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    http.wfile.flush()
