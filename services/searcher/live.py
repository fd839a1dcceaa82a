"""The report of searches while they run: `/` lists them, `/searches/{id}` is the page of one.

For a person on this machine, or at the end of a tunnel to it: it asks for no token, so it listens on loopback alone.
"""

from __future__ import annotations

import html
import logging
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from donna.errors import DonnaError, FailedPrecondition, InvalidArgument, NotFound
from donna.jobs import Job
from donna.jobs.store import JobStore, as_unavailable
from donna.report.live import live_html
from donna.rpc.authentication import is_loopback
from donna.rpc.messages import check_name
from services.searcher.servicer import evaluation_messages
from services.searcher.spec import SearchSpec
from services.searcher.wire import search_message
from services.searcher.work import KIND, Surroundings, evaluations_of

log = logging.getLogger("donna.live")

REFRESH_S = 10
LISTED = 50
_LIST = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Searches</title>
<body style="font: 1rem/1.6 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem"><h1>Searches</h1>
<ul>{rows}</ul></body></html>"""


class LivePages:
    """Serves from `start` to `close`. Raises InvalidArgument for an address that others can reach."""

    def __init__(self, listen: str, store: JobStore, around: Surroundings) -> None:
        host, _, port = listen.rpartition(":")
        if not port.isdigit() or not is_loopback(listen):
            said = f"must be a loopback address like 127.0.0.1:8080, got {listen!r}"
            raise InvalidArgument.of("live_listen", said)
        self._store, self._around = store, around
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                log.debug(format, *args)

        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise FailedPrecondition(f"cannot listen on {listen}", reason="ADDRESS_NOT_AVAILABLE") from error
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="live", daemon=True)

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()
        log.info("the pages of searches are on http://%s", self.address)

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self, path: str) -> tuple[str, bool]:
        """The page at a path, and whether it will change. Raises NotFound."""
        if path == "/":
            jobs, _ = self._store.list(KIND, page_size=LISTED)
            return _LIST.format(rows="".join(map(_row, jobs)) or "<li>none yet"), True
        try:
            job = self._store.get(check_name(path.removeprefix("/"), KIND))
        except InvalidArgument as error:
            raise NotFound(f"there is no page {path[:80]}") from error
        library = self._around.libraries.get(SearchSpec.from_dict(job.spec).library)
        table = evaluations_of(self._store, self._around.artifacts, job)
        evaluations = evaluation_messages(table, range(len(table))) if table is not None else []
        return live_html(search_message(job), library, evaluations), not job.state.ended

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        # A page of elsewhere whose name was made to point here must not read ours.
        host = request.headers.get("Host", "")
        if not is_loopback(host if ":" in host.rpartition("]")[2] else f"{host}:80"):
            return _send(request, HTTPStatus.FORBIDDEN, "this page is for this machine alone", refresh=False)
        try:
            page, changes = self.page(request.path.partition("?")[0])
        except NotFound as error:
            return _send(request, HTTPStatus.NOT_FOUND, html.escape(error.message), refresh=False)
        except Exception as error:
            said = as_unavailable(error) or error
            if not isinstance(said, DonnaError):
                raise
            return _send(request, HTTPStatus.SERVICE_UNAVAILABLE, html.escape(said.message), refresh=True)
        return _send(request, HTTPStatus.OK, page, refresh=changes)


def _send(request: BaseHTTPRequestHandler, status: HTTPStatus, page: str, *, refresh: bool) -> None:
    data = page.encode()
    request.send_response(status)
    request.send_header("Content-Type", "text/html; charset=utf-8")
    request.send_header("Content-Length", str(len(data)))
    request.send_header("Cache-Control", "no-store")
    if refresh:
        request.send_header("Refresh", str(REFRESH_S))
    request.end_headers()
    request.wfile.write(data)


def _row(job: Job) -> str:
    share = f", {100 * job.progress.done / job.progress.total:.0f} %" if job.progress.total else ""
    return f'<li><a href="/{job.name}">{job.name}</a>: {job.state.lower()}{share}'
