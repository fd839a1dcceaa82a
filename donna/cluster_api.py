"""The two requests that services without workers make of the cluster they run in: list Pods, create a Secret.

The official client brings a hundred megabytes for them; who runs Jobs on a cluster uses it all the same.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from donna.errors import AlreadyExists, FailedPrecondition, Unavailable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CALL_S = 15.0
CONFLICT = 409


class ClusterApi:
    """The API server at `url`, spoken to as the service account whose files are in the folder `account`."""

    def __init__(self, url: str, account: Path = ACCOUNT) -> None:
        self._url = url
        self._account = account
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if url.startswith("https:"):
            authority = ssl.create_default_context(cafile=str(account / "ca.crt"))
            handlers.append(urllib.request.HTTPSHandler(context=authority))
        self._open = urllib.request.build_opener(*handlers).open

    @classmethod
    def of_this_pod(cls) -> ClusterApi:
        """As the cluster tells its pods. Raises FailedPrecondition outside of a cluster."""
        host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
        if not host or not (ACCOUNT / "ca.crt").exists():
            raise FailedPrecondition(
                "this is no pod of a cluster that mounts the token of its service account",
                reason="NO_CLUSTER",
            )
        return cls(f"https://{f'[{host}]' if ':' in host else host}:{port}")

    def pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        """The Pods with these labels. Raises Unavailable when the API does not give them."""
        query = urllib.parse.urlencode({"labelSelector": selector})
        return self._call("GET", f"/api/v1/namespaces/{namespace}/pods?{query}").get("items") or []

    def create_secret(self, namespace: str, secret: dict[str, Any]) -> bool:
        """False when there is one of the name already. Raises Unavailable for any other refusal."""
        try:
            self._call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
        except AlreadyExists:
            return False
        return True

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        token = self._account / "token"  # read every time: the cluster replaces it every hour
        request = urllib.request.Request(  # noqa: S310 - the URL is the cluster's own
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {token.read_text().strip()}"} if token.exists() else {}),
            },
        )
        try:
            with self._open(request, timeout=CALL_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(2000).decode(errors="replace")
            if error.code == CONFLICT:
                raise AlreadyExists(said) from None
            raise Unavailable(f"the cluster's API answers {error.code} to {method} {path}: {said}") from None
        except (OSError, ValueError) as error:
            raise Unavailable(f"the cluster's API does not answer: {error}") from error


def own_namespace() -> str:
    """The namespace of the pod that this process runs in, "default" outside of a cluster."""
    try:
        return (ACCOUNT / "namespace").read_text().strip()
    except OSError:
        return "default"
