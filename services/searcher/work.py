"""What the engine runs: a search is one task, taken up where its checkpoint left it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from donna.artifacts import ArtifactStore
from donna.errors import FailedPrecondition
from donna.jobs.lease import Leases
from donna.jobs.record import Job, JobState, Task, TaskSpec
from donna.jobs.store import JobStore
from donna.jobs.work import Report
from donna.space import Library
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.conduct import conduct
from services.searcher.evaluations import Evaluations
from services.searcher.fleet import Fleet, Limits
from services.searcher.libraries import Libraries
from services.searcher.loop import saved_evaluations
from services.searcher.patience import patiently
from services.searcher.predictors import Predictors
from services.searcher.profilers import Profilers
from services.searcher.search import Search
from services.searcher.spec import SearchSpec
from services.searcher.weightless import Weightless

KIND = "searches"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a search needs of the world outside: stores, predictor, profilers, patience."""

    artifacts: ArtifactStore
    libraries: Libraries
    fragments: Weightless
    predictors: Predictors | None
    profilers: Profilers
    measurement_deadline_s: float
    measurement_attempts: int
    retry_s: float

    def accuracy(self, spec: SearchSpec) -> PredictedAccuracy | None:
        """What the predictor of a search says, None when it names none. Raises FailedPrecondition without an address,
        and what Predictors.get raises."""
        if not spec.predictor:
            return None
        if self.predictors is None:
            raise FailedPrecondition(
                "this searcher knows no predictor service; set DONNA_SEARCHER_PREDICTOR",
                reason="NO_PREDICTOR",
            )
        return self.predictors.get(spec.predictor, spec.library)

    def fleet(self, spec: SearchSpec, library: Library, report: Report, job: str) -> Fleet:
        """The devices of a search."""
        return Fleet(
            profilers=self.profilers,
            fragments=self.fragments,
            library=library,
            report=report,
            job=job,
            settings=spec.measurement,
            limits=Limits(
                measurements=spec.max_measurements,
                deadline_s=self.measurement_deadline_s,
                attempts=self.measurement_attempts,
                retry_s=self.retry_s,
            ),
        )


class SearchWork:
    """Searches."""

    kind = KIND

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        """One task: generations depend on each other. Its measurements have keys of their own."""
        return [TaskSpec(key="", spec=spec, label="the search")]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        """Conducts the search."""
        around = self._around
        spec = SearchSpec.from_dict(task.spec)
        library = around.libraries.get(spec.library)
        fleet = around.fleet(spec, library, report, task.job) if spec.devices else None
        # Once, and then no candidate travels: a predictor that goes away later is not missed.
        accuracy = patiently(report, "the predictor", lambda: around.accuracy(spec), around.retry_s)
        search = Search(spec=spec, library=library, report=report, accuracy=accuracy, fleet=fleet)
        if fleet is not None:
            fleet.on_measured = search.stage.measured
        return conduct(search, lambda data: around.artifacts.put_bytes(data).sha256)

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        """The result of the one task."""
        return tasks[0].result or {}


def evaluations_of(store: JobStore, artifacts: ArtifactStore, job: Job) -> Evaluations | None:
    """Everything that a search has evaluated: from its result, or up to its last checkpoint; None before that.

    Raises NotFound or DataLoss when it is gone.
    """
    if job.state is JobState.SUCCEEDED:
        return Evaluations.from_bytes(artifacts.get_bytes((job.result or {})["evaluations"]))
    (task,) = store.tasks(job.name)
    parts = Leases(store, kind=KIND, owner="reader").parts(task)
    return saved_evaluations(parts, SearchSpec.from_dict(job.spec)) if parts else None
