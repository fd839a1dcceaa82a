"""Makes a Secret of random values in the cluster: `python -m donna.cluster_secret NAME KEY...`.

Beside a key that ends in "token" it has one that ends in "token-digest": a service that knows the digest lets the
token's holder in, and could not call others itself.

One that exists stays as it is, so that applying an installation again changes no password. Needs the right to create
Secrets in its own namespace, and no other.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from typing import Any

from donna.placement import own_namespace

BYTES = 32
CONFLICT = 409


def make_secret(core: Any, namespace: str, name: str, keys: list[str]) -> bool:
    """Creates the Secret with a random value for each key; False when there is one already.

    `core` is a kubernetes CoreV1Api, whose ApiException is raised for any other answer.
    """
    from kubernetes.client import ApiException

    values = {key: secrets.token_urlsafe(BYTES) for key in keys}
    digests = {
        f"{key}-digest": f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
        for key, value in values.items()
        if key.endswith("token")
    }
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "donna"}},
        "type": "Opaque",
        "stringData": values | digests,
    }
    try:
        core.create_namespaced_secret(namespace, body, _request_timeout=(5.0, 30.0))
    except ApiException as error:
        if error.status == CONFLICT:
            return False
        raise
    return True


def main(arguments: list[str]) -> int:
    """Says whether the Secret was made; 2 for a wrong command line."""
    if len(arguments) < 2:
        sys.stderr.write("usage: python -m donna.cluster_secret NAME KEY...\n")
        return 2
    from kubernetes import client, config

    config.load_config()
    made = make_secret(client.CoreV1Api(), own_namespace(), arguments[0], arguments[1:])
    sys.stdout.write(f"{arguments[0]}: {'made' if made else 'kept'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
