"""The SDK: one client for the five services.

    with donna.local.services() as client:
        library = client.wait(client.create(BlockLibrarySpec(...)))

Resources are the protobuf messages of donna.v1; errors are donna.errors. Nothing here needs torch.
"""

from donna.client.client import Client
from donna.client.endpoints import Endpoints
from donna.client.kinds import KINDS
from donna.client.patience import JobFailed

__all__ = ["KINDS", "Client", "Endpoints", "JobFailed"]
