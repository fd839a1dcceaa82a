"""Which role may call which method: a table of every method of the contract, and what is not in it nobody may call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from donna.errors import PermissionDenied

Role = Literal["admin", "client", "reader", "searcher", "agent"]
ROLES: tuple[Role, ...] = get_args(Role)
"""admin: everything. client: whoever orders work and reads results. reader: looks, changes nothing. searcher: the
searcher as a caller of predictor and profilers. agent: a profiler that dials in to a hub."""

_LOOK: tuple[Role, ...] = ("admin", "client", "reader")
_ORDER: tuple[Role, ...] = ("admin", "client")
_SEARCH: tuple[Role, ...] = ("admin", "client", "searcher")
_SEARCH_LOOK: tuple[Role, ...] = ("admin", "client", "reader", "searcher")
_DIAL: tuple[Role, ...] = ("admin", "agent")


def _resource(
    one: str, many: str, order: tuple[Role, ...], look: tuple[Role, ...]
) -> Iterator[tuple[str, tuple[Role, ...]]]:
    """The six methods of a job resource."""
    yield from ((f"{verb}{one}", order) for verb in ("Create", "Cancel"))
    yield from ((method, look) for method in (f"Get{one}", f"Watch{one}"))
    yield f"List{many}", _LOOK
    yield f"Delete{one}", _ORDER


MAY: Mapping[str, Mapping[str, tuple[Role, ...]]] = {
    "donna.v1.ArtifactService": {
        "DownloadArtifact": _LOOK,
        "FindMissingArtifacts": _LOOK,
        "UploadArtifact": _ORDER,
    },
    "donna.v1.DistillerService": {
        **dict(_resource("BlockLibrary", "BlockLibraries", _ORDER, _LOOK)),
        "ListBlockEntries": _LOOK,
        "InspectReference": _ORDER,
        "InspectDataset": _ORDER,
        "ListProviders": _LOOK,
    },
    "donna.v1.FinetunerService": dict(_resource("FinetuneJob", "FinetuneJobs", _ORDER, _LOOK)),
    "donna.v1.PredictorService": {
        **dict(_resource("Predictor", "Predictors", _ORDER, _LOOK)),
        "Predict": _SEARCH_LOOK,
        "GetPredictorTables": _SEARCH_LOOK,
        "EvaluatePredictor": _LOOK,
        "SampleArchitectures": _LOOK,
    },
    "donna.v1.SearcherService": {
        **dict(_resource("Search", "Searches", _ORDER, _LOOK)),
        "ListEvaluations": _LOOK,
        "ListSearchDevices": _LOOK,
    },
    "donna.v1.ProfilerService": {
        **dict(_resource("Measurement", "Measurements", _SEARCH, _SEARCH_LOOK)),
        # A searcher calls for its clients too, whose roles it has checked.
        "ListMeasurements": _SEARCH_LOOK,
        "DeleteMeasurement": _SEARCH,
        "ListDevices": _SEARCH_LOOK,
        "GetDevice": _SEARCH_LOOK,
        "FindMissingModels": _SEARCH,
        "UploadModel": _SEARCH,
    },
    "donna.v1.DeviceHubService": {"Attach": _DIAL},
}


def check_role(role: Role, method: str) -> None:
    """Raises PermissionDenied unless `role` may call `method`, written /package.Service/Method."""
    service, _, name = method.removeprefix("/").rpartition("/")
    if role not in MAY.get(service, {}).get(name, ()):
        raise PermissionDenied(
            f"the role {role} may not call {name or method[:80]}",
            reason="ROLE_MAY_NOT",
            metadata={"role": role, "method": method[:200]},
        )
