"""A copy of a running service's state, taken as docs/operations.md says, is a service that goes on."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from donna.v1 import common_pb2
from donna.v1 import predictor_pb2 as pb
from tests.unit.predictor.serving import Service, served
from tests.unit.searcher.libraries import build_library


def predictions(service: Service, name: str) -> bytes:
    matrix = common_pb2.ArchitectureMatrix(
        num_architectures=3, num_blocks=2, choices=b"\0\0\1\2\2\1", bytes_per_choice=1
    )
    return bytes(service.stub.Predict(pb.PredictRequest(predictor=name, architectures=matrix)).accuracies)


def test_a_backup_of_a_running_service_is_restored(tmp_path: Path) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup"
    state.mkdir()
    backup.mkdir()
    with served(state) as service:
        manifest = service.put(build_library((3, 3), service.artifacts))
        samples = [
            pb.AccuracySample(
                architecture=common_pb2.Architecture(choices=[i % 3, i // 3]), accuracy=0.9 - i / 50
            )
            for i in range(7)
        ]
        spec = pb.PredictorSpec(library=manifest, samples=samples)
        fitted = service.fit(spec, request_id="kept")
        expected = predictions(service, fitted.name)
        with (
            sqlite3.connect(state / "predictor.db") as source,
            sqlite3.connect(backup / "predictor.db") as copy,
        ):
            source.backup(copy)
        shutil.copytree(state / "artifacts", backup / "artifacts")
        later = service.fit(pb.PredictorSpec(library=manifest, samples=samples, seed=1))
    shutil.rmtree(state)
    with served(backup) as restored:
        listed = restored.stub.ListPredictors(pb.ListPredictorsRequest()).predictors
        assert [each.name for each in listed] == [fitted.name] != [later.name]
        assert predictions(restored, fitted.name) == expected
        again = restored.stub.CreatePredictor(pb.CreatePredictorRequest(spec=spec, request_id="kept"))
        assert again.predictor.name == fitted.name  # known, and not done again
