"""The job resources of the contract: how each collection is spoken of on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from donna.errors import InvalidArgument
from donna.v1 import distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2


@dataclass(frozen=True)
class Kind:
    """A collection: its service, and the names of its resource in messages."""

    service: str
    resource: str
    field: str
    plural: str
    plural_field: str
    messages: Any


KINDS = {
    "blockLibraries": Kind(
        "distiller", "BlockLibrary", "block_library", "BlockLibraries", "block_libraries", distiller_pb2
    ),
    "finetuneJobs": Kind(
        "finetuner", "FinetuneJob", "finetune_job", "FinetuneJobs", "finetune_jobs", finetuner_pb2
    ),
    "predictors": Kind("predictor", "Predictor", "predictor", "Predictors", "predictors", predictor_pb2),
    "searches": Kind("searcher", "Search", "search", "Searches", "searches", searcher_pb2),
}
SPECS = {
    distiller_pb2.BlockLibrarySpec: "blockLibraries",
    finetuner_pb2.FinetuneSpec: "finetuneJobs",
    predictor_pb2.PredictorSpec: "predictors",
    searcher_pb2.SearchSpec: "searches",
}


def kind_of(name: str) -> Kind:
    """The kind of a resource (`searches/1f2e`) or of a collection (`searches`). Raises InvalidArgument."""
    collection = name.partition("/")[0]
    if collection not in KINDS:
        raise InvalidArgument.of("name", f"{name!r} is in none of the collections {', '.join(KINDS)}")
    return KINDS[collection]
