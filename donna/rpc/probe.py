"""Asks a service for its health: `python -m donna.rpc.probe 127.0.0.1:50052`. Exit code 0 means that it serves.

For the health checks of containers. Kubernetes asks by itself, over the same port.
"""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from donna.rpc.authentication import HEADER

DEADLINE_S = 5.0


def probe(
    address: str,
    *,
    deadline_s: float = DEADLINE_S,
    credentials: grpc.ChannelCredentials | None = None,
    token: str = "",
) -> str:
    """What the health endpoint at host:port says, "SERVING" when all is well; why not, when it does not answer."""
    opened = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
    metadata = ((HEADER, f"Bearer {token}"),) if token else ()
    with opened as channel:
        try:
            request = health_pb2.HealthCheckRequest()
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=deadline_s, metadata=metadata)
        except grpc.RpcError as error:
            return f"{address} does not answer: {error.code().name}"
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def main(arguments: list[str]) -> int:
    """Prints what the service says; 0 when it serves, 1 when it does not, 2 for a wrong command line."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m donna.rpc.probe HOST:PORT\n")
        return 2
    said = probe(arguments[0])
    sys.stdout.write(f"{said}\n")
    return 0 if said == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
