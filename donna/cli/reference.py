"""The reference of a spec with its weights: from a file, trained first, or its provider's."""

from __future__ import annotations

from donna.cli.follow import follow
from donna.client import Client
from donna.errors import InvalidArgument
from donna.pipeline import messages
from donna.pipeline.spec import Spec
from donna.v1 import common_pb2


def reference_weights(client: Client, spec: Spec) -> common_pb2.Artifact | None:
    """The weights as an artifact; None where the provider brings them. Raises InvalidArgument when the file cannot be
    read."""
    given = spec.reference.weights
    if given is not None:
        try:
            return client.upload(given)
        except OSError as error:
            raise InvalidArgument.of(
                "reference.weights", f"{given} cannot be read: {error.strerror}"
            ) from None
    if spec.reference.train is None:
        return None
    job = follow(client, messages.reference_alone(spec, None), "Training the reference")
    return job.networks[0].weights
