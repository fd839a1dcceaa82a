"""The loop of improvement against services that know the truth: what is finetuned, what fitted, when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from donna.pipeline.display import Silence
from donna.pipeline.folder import RunFolder
from donna.pipeline.improvement import rounds_of
from donna.pipeline.outcome import Found
from donna.pipeline.run import Run
from donna.pipeline.spec import Spec, parse_spec
from donna.pipeline.work import Work
from donna.v1 import common_pb2, finetuner_pb2, predictor_pb2, searcher_pb2
from tests.integration.conftest import TINY

Choices = tuple[int, ...]
LIBRARY = common_pb2.Artifact(sha256="0" * 64)
SUCCEEDED = common_pb2.Job(state=common_pb2.JOB_STATE_SUCCEEDED, cost=common_pb2.Cost(networks_trained=1))


def message(choices: Choices) -> common_pb2.Architecture:
    return common_pb2.Architecture(choices=choices)


def sample(choices: Choices) -> predictor_pb2.AccuracySample:
    return predictor_pb2.AccuracySample(architecture=message(choices), accuracy=0.5 + 0.01 * sum(choices))


class Services:
    """Finetunes to 0.5 + 0.01 for each choice, predicts 0.1 too much, finds the next of the given fronts."""

    def __init__(self, fronts: list[list[Choices]]) -> None:
        self.predictor = self
        self.fronts = fronts
        self.created: dict[str, Any] = {}

    def ensure(self, spec: Any, key: str, on_change: Any) -> Any:
        phase = key.partition("-")[2]
        self.created[phase] = spec
        if isinstance(spec, finetuner_pb2.FinetuneSpec):
            networks = [
                finetuner_pb2.FinetunedNetwork(
                    network=n, accuracy=sample(tuple(n.architecture.choices)).accuracy
                )
                for n in spec.networks
            ]
            return finetuner_pb2.FinetuneJob(job=SUCCEEDED, networks=networks)
        if isinstance(spec, predictor_pb2.PredictorSpec):
            return predictor_pb2.Predictor(name=f"predictors/{len(spec.samples)}", spec=spec, job=SUCCEEDED)
        front = [
            searcher_pb2.FrontPoint(
                architecture=message(c), predicted_accuracy=0.9, latency_ms={"local": sum(c)}
            )
            for c in self.fronts[sum("search" in phase for phase in self.created) - 1]
        ]
        return searcher_pb2.Search(name=f"searches/{phase}", spec=spec, front=front, job=SUCCEEDED)

    def SampleArchitectures(self, request: Any) -> Any:
        assert request.design == predictor_pb2.SAMPLING_DESIGN_D_OPTIMAL
        assert not {tuple(c.choices) for c in request.candidates} & {
            tuple(e.choices) for e in request.exclude
        }
        chosen = request.candidates[: request.num_architectures]
        return predictor_pb2.SampleArchitecturesResponse(architectures=chosen)

    def EvaluatePredictor(self, request: Any) -> Any:
        samples = [
            predictor_pb2.PredictedSample(
                architecture=s.architecture, accuracy=s.accuracy, predicted_accuracy=s.accuracy + 0.1
            )
            for s in request.samples
        ]
        return predictor_pb2.EvaluatePredictorResponse(
            samples=samples,
            agreement=predictor_pb2.PredictionAgreement(
                kendall_tau=predictor_pb2.Estimate(value=float("nan"))
            ),
        )


def improved(tmp_path: Path, fronts: list[list[Choices]], **improve: int) -> tuple[Found, Work, Services]:
    """A run with samples (0, 0) to (0, 2) and judge (4, 4), searched once and then improved."""
    spec: Spec = parse_spec({**TINY, "improve": improve})
    services: Any = Services(fronts)
    work = Work(services, spec, RunFolder(tmp_path / "run", spec), Silence(), ["local"])
    run = Run(work)
    samples, judges = [sample((0, m)) for m in range(3)], [sample((4, 4))]
    fitted = run.fit_predictor(LIBRARY, samples, judges)
    begun = Found(fitted=fitted, search=run.search(LIBRARY, fitted.predictor))
    return run.improve(LIBRARY, begun, samples, judges), work, services


def test_each_round_finetunes_unknown_networks_of_the_last_front(tmp_path: Path) -> None:
    first, second, third = [(0, 1), (1, 1), (1, 2), (2, 2)], [(1, 1), (3, 1), (3, 2), (4, 4)], [(3, 3)]
    found, work, services = improved(tmp_path, [first, second, third], rounds=2, networks=2)
    finetuned = {
        phase: [tuple(n.architecture.choices) for n in spec.networks]
        for phase, spec in services.created.items()
        if "samples" in phase
    }
    assert finetuned == {
        "improve-1-samples": [(1, 1), (1, 2)],
        "improve-2-samples": [(3, 1), (3, 2)],  # not (1, 1), which is known, nor (4, 4), which judges
    }
    assert [len(s.samples) for p, s in services.created.items() if "predictor" in p] == [3, 5, 7]
    begun = services.created["improve-2-search"]
    assert [tuple(a.choices) for a in begun.initial] == second
    assert begun.predictor == "predictors/7"
    assert [tuple(p.architecture.choices) for p in found.search.front] == third
    assert found.fitted.predictor.name == "predictors/7"
    assert {"improve-1-samples", "improve-2-search"} <= set(work.costs)  # in the ledger

    told = rounds_of(found.rounds)
    assert [r["predictor"] for r in told] == ["predictors/3", "predictors/5"]
    assert [len(r["finetuned"]) for r in told] == [2, 2]
    assert told[0]["mean_abs_error_front"] == pytest.approx(0.1)
    # The same run again asks for the same jobs.
    _, _, repeated = improved(tmp_path, [first, second, third], rounds=2, networks=2)
    assert repeated.created == services.created


def test_it_ends_when_the_front_is_known_and_is_off_by_default(tmp_path: Path) -> None:
    found, _, _ = improved(tmp_path, [[(1, 1), (0, 1)], [(1, 1)]], rounds=5, networks=2)
    assert not found.rounds  # a single unknown network ranks nothing
    found, _, _ = improved(tmp_path / "more", [[(1, 1), (2, 1)], [(1, 1), (2, 1)]], rounds=5, networks=8)
    assert len(found.rounds) == 1
    found, _, services = improved(tmp_path / "off", [[(1, 1), (2, 1)]])
    assert not found.rounds and len(services.created) == 2
