"""Networks that cannot be trained: samples are replaced, winners left out, and too few end the run as a failed job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from donna.client import JobFailed
from donna.pipeline.display import Silence
from donna.pipeline.folder import RunFolder
from donna.pipeline.run import Run
from donna.pipeline.sampling import architecture_of, finetune_samples
from donna.pipeline.spec import parse_spec
from donna.pipeline.work import Work
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2
from tests.integration.conftest import TINY

LIBRARY = distiller_pb2.BlockLibrary(num_architectures="25")
Choices = tuple[int, ...]


class Services:
    """Draws (0, 0), (0, 1), … and trains all but the `broken` ones."""

    def __init__(self, broken: set[Choices]) -> None:
        self.predictor = self
        self.broken = broken
        self.trained: list[list[Choices]] = []

    def SampleArchitectures(self, request: Any) -> Any:
        taken = {tuple(a.choices) for a in request.exclude}
        every = [(a, b) for a in range(5) for b in range(5) if (a, b) not in taken]
        chosen = [common_pb2.Architecture(choices=c) for c in every[: request.num_architectures]]
        return predictor_pb2.SampleArchitecturesResponse(architectures=chosen)

    def ensure(self, spec: Any, key: str, on_change: Any) -> finetuner_pb2.FinetuneJob:
        self.trained.append([tuple(n.architecture.choices) for n in spec.networks])
        networks = []
        for network in spec.networks:
            found = finetuner_pb2.FinetunedNetwork(network=network, accuracy=0.9)
            if tuple(network.architecture.choices) in self.broken:
                found.ClearField("accuracy")
                found.error.CopyFrom(common_pb2.Error(reason="DIVERGED", message="the loss is not finite"))
            networks.append(found)
        return finetuner_pb2.FinetuneJob(networks=networks)


class Heard(Silence):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def work(tmp_path: Path, broken: set[Choices]) -> tuple[Work, Any, Heard]:
    spec = parse_spec(TINY)  # 6 samples and 3 judges
    services: Any = Services(broken)
    heard = Heard()
    return Work(services, spec, RunFolder(tmp_path / "run", spec), heard, ["local"]), services, heard


def test_samples_that_fail_are_replaced_by_others(tmp_path: Path) -> None:
    running, services, heard = work(tmp_path, {(0, 1), (1, 3), (1, 4)})
    samples, judges = finetune_samples(running, LIBRARY)
    assert (len(samples), len(judges)) == (6, 3)
    assert [len(networks) for networks in services.trained] == [9, 2, 1]  # (1, 4), a replacement, failed too
    architectures = {architecture_of(s).choices for s in (*samples, *judges)}
    assert len(architectures) == 9 and not architectures & services.broken
    assert "could not be trained; 0-1: the loss is not finite" in heard.said[0]


def test_a_predictor_is_fitted_to_what_is_left_if_it_is_enough(tmp_path: Path) -> None:
    every = {(a, b) for a in range(5) for b in range(5)}
    samples, judges = finetune_samples(work(tmp_path, every - {(0, 0), (0, 2), (0, 4)})[0], LIBRARY)
    assert (len(samples), len(judges)) == (3, 0)
    with pytest.raises(JobFailed, match="2 of 6 sampled networks could be trained"):
        finetune_samples(work(tmp_path / "more", every - {(0, 0), (0, 2)})[0], LIBRARY)


def test_winners_that_fail_are_left_out(tmp_path: Path) -> None:
    running, _, heard = work(tmp_path, {(0, 1)})
    front = [searcher_pb2.FrontPoint(architecture=common_pb2.Architecture(choices=[0, n])) for n in range(3)]
    winners = Run(running).finetune_winners(common_pb2.Artifact(), front)
    assert [(w.name, list(w.point.architecture.choices)) for w in winners] == [
        ("tiny-1", [0, 0]),
        ("tiny-2", [0, 2]),
    ]
    assert heard.said == ["0-1 could not be finetuned, it is left out: the loss is not finite"]
    with pytest.raises(JobFailed, match="no network could be finetuned: the loss is not finite") as failed:
        Run(running).finetune_winners(common_pb2.Artifact(), front[1:2])
    assert failed.value.reason == "DIVERGED"
