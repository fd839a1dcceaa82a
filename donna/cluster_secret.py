"""Makes a Secret of random values in the cluster: `python -m donna.cluster_secret NAME KEY...`.

Beside a key that ends in "token" it has one that ends in "token-digest": a service that knows the digest lets the
token's holder in, and could not call others itself.

One that exists stays as it is, so that applying an installation again changes no password. Needs the right to create
Secrets in its own namespace, and no other.
"""

from __future__ import annotations

import sys

from donna.cluster_api import ClusterApi, own_namespace
from donna.errors import DonnaError
from donna.rpc.secret import new_secret, written_digest


def make_secret(api: ClusterApi, namespace: str, name: str, keys: list[str]) -> bool:
    """Creates the Secret with a random value for each key; False when there is one already.

    Raises Unavailable when the cluster refuses.
    """
    values = {key: new_secret() for key in keys}
    digests = {
        f"{key}-digest": written_digest(value) for key, value in values.items() if key.endswith("token")
    }
    return api.create_secret(
        namespace,
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "donna"}},
            "type": "Opaque",
            "stringData": values | digests,
        },
    )


def main(arguments: list[str]) -> int:
    """Says whether the Secret was made; 1 when the cluster refuses, 2 for a wrong command line."""
    if len(arguments) < 2:
        sys.stderr.write("usage: python -m donna.cluster_secret NAME KEY...\n")
        return 2
    name, *keys = arguments
    try:
        made = make_secret(ClusterApi.of_this_pod(), own_namespace(), name, keys)
    except DonnaError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(f"{name}: {'made' if made else 'kept'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
