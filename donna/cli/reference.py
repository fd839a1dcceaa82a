"""The reference of a spec with its weights: from a file, trained first, or its provider's."""

from __future__ import annotations

from donna.cli.follow import follow
from donna.client import Client
from donna.pipeline import messages
from donna.pipeline.ask import given_weights
from donna.pipeline.blame import blame, recipe
from donna.pipeline.run import trained
from donna.pipeline.spec import Spec
from donna.v1 import common_pb2


def reference_weights(client: Client, spec: Spec, *, quiet: bool = False) -> common_pb2.Artifact | None:
    """The weights as an artifact; None where the provider brings them. Raises InvalidArgument when the file cannot be
    read, JobFailed when the training fails."""
    if spec.reference.train is None:
        return given_weights(client, spec)
    with blame(recipe("reference.train")):
        job = follow(client, messages.reference_alone(spec, None), "Training the reference", quiet=quiet)
    return trained(job.networks[0], "the reference").weights
