"""The contract of the predictor, over real gRPC on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from donna.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from donna.rpc.messages import artifact_message, pack_architectures
from donna.space import Library
from donna.v1 import common_pb2
from donna.v1 import predictor_pb2 as pb
from services.predictor.fit import FitOptions, fit
from services.predictor.model import Model
from tests.unit.predictor import spaces
from tests.unit.predictor.serving import Service, served

LIBRARY = spaces.library(spaces.random_tables(4, 12, seed=0))
CHOICES = np.unique(spaces.draw(LIBRARY.num_options, 40, seed=1), axis=0)
ACCURACY = np.clip(
    0.95 - LIBRARY.qualities(CHOICES) @ [0.1, 0.2, 0.05, 0.15] + 0.003 * np.sin(np.arange(len(CHOICES))), 0, 1
)
FITTED = 28


def sample(choices: object, accuracy: float) -> pb.AccuracySample:
    return pb.AccuracySample(architecture=common_pb2.Architecture(choices=choices), accuracy=accuracy)


def samples(rows: slice) -> list[pb.AccuracySample]:
    return [sample(c, a) for c, a in zip(CHOICES[rows].tolist(), ACCURACY[rows], strict=True)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("predictor")) as running:
        yield running


@pytest.fixture(scope="module")
def artifact(service: Service) -> common_pb2.Artifact:
    return service.put(LIBRARY)


@pytest.fixture(scope="module")
def predictor(service: Service, artifact: common_pb2.Artifact) -> pb.Predictor:
    return service.fit(pb.PredictorSpec(library=artifact, samples=samples(slice(FITTED)), seed=3))


def test_a_fit_is_a_job_that_ends_with_all_that_is_known(service: Service, predictor: pb.Predictor) -> None:
    assert predictor.job.state == common_pb2.JOB_STATE_SUCCEEDED
    assert predictor.order in (1, 2)
    assert predictor.target != pb.TARGET_UNSPECIFIED
    assert list(predictor.qualities) == ["nsr"]
    assert predictor.library_lineage == LIBRARY.lineage
    agreement = predictor.leave_one_out
    assert agreement.num_samples == FITTED
    assert agreement.kendall_tau.low <= agreement.kendall_tau.value <= agreement.kendall_tau.high
    assert agreement.kendall_tau.value > 0.7
    assert predictor.learning_curve[0].num_samples == 4
    assert len(predictor.samples) == FITTED
    assert all(s.low <= s.predicted_accuracy <= s.high for s in predictor.samples)
    got = service.stub.GetPredictor(pb.GetPredictorRequest(name=predictor.name)).predictor
    assert got == predictor
    model = Model.from_json(service.artifacts.get_bytes(predictor.model.sha256))
    expected = fit(LIBRARY, CHOICES[:FITTED], ACCURACY[:FITTED], FitOptions(seed=3)).model
    assert model == expected


def test_predictions_come_packed(
    service: Service, artifact: common_pb2.Artifact, predictor: pb.Predictor
) -> None:
    model = Model.from_json(service.artifacts.get_bytes(predictor.model.sha256)).bind(LIBRARY)
    choices = spaces.draw(LIBRARY.num_options, 20_000, seed=9)
    expected = model.predict(choices)
    for width in (1, 2, 4):
        matrix = common_pb2.ArchitectureMatrix(
            num_architectures=len(choices),
            num_blocks=4,
            choices=choices.astype(f"<u{width}").tobytes(),
            bytes_per_choice=width,
        )
        request = pb.PredictRequest(predictor=predictor.name, architectures=matrix, include_intervals=True)
        response = service.stub.Predict(request)
        for packed, values in (
            (response.accuracies, expected.accuracy),
            (response.lows, expected.low),
            (response.highs, expected.high),
        ):
            assert np.array_equal(np.frombuffer(packed, "<f4"), values.astype("<f4"))
        assert np.array_equal(np.frombuffer(response.extrapolated, bool), expected.extrapolated)
    bare = service.stub.Predict(pb.PredictRequest(predictor=predictor.name, architectures=matrix))
    assert bare.accuracies == response.accuracies
    assert not bare.lows
    assert not bare.extrapolated


def test_samples_not_used_in_the_fit_judge_it(service: Service, predictor: pb.Predictor) -> None:
    held_out = samples(slice(FITTED, None))
    request = pb.EvaluatePredictorRequest(predictor=predictor.name, samples=held_out)
    response = service.stub.EvaluatePredictor(request)
    assert response.agreement.num_samples == len(held_out)
    assert response.agreement.kendall_tau.value > 0.7
    assert response.agreement.mse.value < 1e-4
    assert 0.5 < response.agreement.interval_coverage <= 1.0
    assert [s.accuracy for s in response.samples] == [s.accuracy for s in held_out]
    used = pb.EvaluatePredictorRequest(predictor=predictor.name, samples=[*held_out, *samples(slice(1))])
    with pytest.raises(InvalidArgument, match="used to fit") as refused:
        service.stub.EvaluatePredictor(used)
    assert refused.value.violations[0].field == f"samples[{len(held_out)}].architecture"


def grown() -> Library:
    """The library with one more entry in each block: one within what was seen, one far outside."""
    blocks = []
    for n, block in enumerate(LIBRARY.blocks):
        quality = 30.0 if n == 0 else float(np.median([entry.quality for entry in block.entries]))
        blocks.append(replace(block, entries=(*block.entries, spaces.entry(12, quality))))
    return replace(LIBRARY, blocks=tuple(blocks))


def test_entries_added_later_are_predicted_and_marked(service: Service, predictor: pb.Predictor) -> None:
    architectures = pack_architectures(np.array([[0, 12, 12, 12], [12, 0, 0, 0]]))
    request = pb.PredictRequest(predictor=predictor.name, architectures=architectures, include_intervals=True)
    with pytest.raises(InvalidArgument, match="not in the space"):
        service.stub.Predict(request)
    request.library.CopyFrom(service.put(grown()))
    response = service.stub.Predict(request)
    assert list(response.extrapolated) == [0, 1]
    accuracy = np.frombuffer(response.accuracies, "<f4")
    assert ((accuracy >= 0) & (accuracy <= 1)).all()


def test_another_lineage_is_refused_with_both_digests(service: Service, predictor: pb.Predictor) -> None:
    other = replace(LIBRARY, dataset={"provider": "another"})
    request = pb.PredictRequest(
        predictor=predictor.name, architectures=pack_architectures(CHOICES), library=service.put(other)
    )
    with pytest.raises(FailedPrecondition) as refused:
        service.stub.Predict(request)
    assert LIBRARY.lineage in refused.value.message
    assert other.lineage in refused.value.message
    assert refused.value.reason == "LIBRARY_LINEAGE"


def test_wrong_requests_name_every_wrong_field(service: Service, artifact: common_pb2.Artifact) -> None:
    good = samples(slice(5))
    spec = pb.PredictorSpec(
        library=artifact,
        samples=[
            *good,
            sample([0, 0, 0, 99], 0.5),
            sample([0, 0, 0], 0.5),
            good[1],
            sample([1, 1, 1, 1], 1.5),
        ],
    )
    with pytest.raises(InvalidArgument) as refused:
        service.stub.CreatePredictor(pb.CreatePredictorRequest(spec=spec))
    assert {violation.field for violation in refused.value.violations} == {
        "spec.samples[5].architecture",
        "spec.samples[6].architecture",
        "spec.samples[7].architecture",
        "spec.samples[8].accuracy",
    }
    nan = pb.PredictorSpec(library=artifact, samples=[*good, sample([2, 2, 2, 2], float("nan"))])
    with pytest.raises(InvalidArgument, match="in \\[0, 1\\], got nan"):
        service.stub.CreatePredictor(pb.CreatePredictorRequest(spec=nan))


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("spec.samples", {"samples": samples(slice(2))}),
        ("spec.order", {"order": 3}),
        ("spec.target", {"target": 7}),
        ("spec.ridge_strengths[1]", {"ridge_strengths": [1.0, 0.0]}),
        ("spec.ridge_strengths[0]", {"ridge_strengths": [float("inf")]}),
        ("spec.qualities", {"qualities": ["nsr", "nsr"]}),
        ("spec.seed", {"seed": -1}),
        ("spec.interval_coverage", {"interval_coverage": 1.0}),
        ("spec.library.sha256", {"library": common_pb2.Artifact(sha256="../../etc/passwd")}),
        ("spec.library.uri", {"library": common_pb2.Artifact(uri="file:///x", sha256="0" * 64)}),
    ],
)
def test_each_wrong_field_is_named(
    service: Service, artifact: common_pb2.Artifact, field: str, changed: dict
) -> None:
    spec = pb.PredictorSpec(**{"library": artifact, "samples": samples(slice(5))} | changed)
    for validate_only in (False, True):
        request = pb.CreatePredictorRequest(spec=spec, validate_only=validate_only)
        with pytest.raises(InvalidArgument) as refused:
            service.stub.CreatePredictor(request)
        assert [violation.field for violation in refused.value.violations] == [field]


def test_validation_alone_creates_nothing(service: Service, artifact: common_pb2.Artifact) -> None:
    spec = pb.PredictorSpec(library=artifact, samples=samples(slice(5)))
    before = service.stub.ListPredictors(pb.ListPredictorsRequest()).predictors
    response = service.stub.CreatePredictor(pb.CreatePredictorRequest(spec=spec, validate_only=True))
    assert response.predictor.name == ""
    assert len(service.stub.ListPredictors(pb.ListPredictorsRequest()).predictors) == len(before)


def test_what_does_not_exist_is_not_found(service: Service, artifact: common_pb2.Artifact) -> None:
    spec = pb.PredictorSpec(library=common_pb2.Artifact(sha256="0" * 64), samples=samples(slice(5)))
    unknown = "predictors/0123456789abcdef"
    calls = [
        lambda: service.stub.CreatePredictor(pb.CreatePredictorRequest(spec=spec)),
        lambda: service.stub.GetPredictor(pb.GetPredictorRequest(name=unknown)),
        lambda: service.stub.DeletePredictor(pb.DeletePredictorRequest(name=unknown)),
        lambda: service.stub.CancelPredictor(pb.CancelPredictorRequest(name=unknown)),
        lambda: list(service.stub.WatchPredictor(pb.WatchPredictorRequest(name=unknown))),
        lambda: service.stub.Predict(pb.PredictRequest(predictor=unknown)),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    with pytest.raises(InvalidArgument, match="must read like predictors"):
        service.stub.GetPredictor(pb.GetPredictorRequest(name="searches/1"))


def test_a_quality_that_the_library_lacks_fails_the_fit(
    service: Service, artifact: common_pb2.Artifact
) -> None:
    spec = pb.PredictorSpec(library=artifact, samples=samples(slice(9)), qualities=["kl"])
    failed = service.fit(spec)
    assert failed.job.state == common_pb2.JOB_STATE_FAILED
    assert failed.job.error.reason == "QUALITY_MISSING"
    with pytest.raises(FailedPrecondition, match="FAILED"):
        service.stub.Predict(
            pb.PredictRequest(predictor=failed.name, architectures=pack_architectures(CHOICES))
        )


def test_requests_are_idempotent_listed_in_pages_and_deleted(
    service: Service, artifact: common_pb2.Artifact
) -> None:
    spec = pb.PredictorSpec(library=artifact, samples=samples(slice(8)), order=1)
    first = service.fit(spec, request_id="twice")
    assert service.fit(spec, request_id="twice").name == first.name
    spec.order = 2
    with pytest.raises(AlreadyExists):
        service.fit(spec, request_id="twice")
    service.fit(spec)
    names, token = [], ""
    while True:
        page = service.stub.ListPredictors(pb.ListPredictorsRequest(page_size=1, page_token=token))
        names += [found.name for found in page.predictors]
        token = page.next_page_token
        if not token:
            break
    assert len(names) == len(set(names)) >= 2
    assert first.name in names
    predict = pb.PredictRequest(predictor=first.name, architectures=pack_architectures(CHOICES))
    assert service.stub.Predict(predict).accuracies
    service.stub.DeletePredictor(pb.DeletePredictorRequest(name=first.name))
    for call in (
        lambda: service.stub.GetPredictor(pb.GetPredictorRequest(name=first.name)),
        lambda: service.stub.Predict(predict),
        lambda: service.stub.GetPredictorTables(pb.GetPredictorTablesRequest(predictor=first.name)),
    ):
        with pytest.raises(NotFound):
            call()


@pytest.mark.parametrize("design", [pb.SAMPLING_DESIGN_UNIFORM, pb.SAMPLING_DESIGN_D_OPTIMAL, 0])
def test_architectures_are_sampled(service: Service, artifact: common_pb2.Artifact, design: int) -> None:
    exclude = [common_pb2.Architecture(choices=row) for row in CHOICES[:10].tolist()]
    request = pb.SampleArchitecturesRequest(
        library=artifact, num_architectures=12, design=design, seed=5, exclude=exclude
    )
    rows = [tuple(a.choices) for a in service.stub.SampleArchitectures(request).architectures]
    assert len(set(rows)) == 12
    assert not set(rows) & {tuple(row) for row in CHOICES[:10].tolist()}
    LIBRARY.check_choices(np.array(rows))
    assert rows == [tuple(a.choices) for a in service.stub.SampleArchitectures(request).architectures]


def test_only_candidates_are_proposed_if_there_are_any(
    service: Service, artifact: common_pb2.Artifact
) -> None:
    candidates = [common_pb2.Architecture(choices=row) for row in CHOICES[:10].tolist()]
    request = pb.SampleArchitecturesRequest(
        library=artifact, num_architectures=4, candidates=candidates, exclude=candidates[:3]
    )
    rows = {tuple(a.choices) for a in service.stub.SampleArchitectures(request).architectures}
    assert len(rows) == 4
    assert rows <= {tuple(row) for row in CHOICES[3:10].tolist()}
    request.num_architectures = 8
    with pytest.raises(InvalidArgument, match="at most 7, the candidates not yet known"):
        service.stub.SampleArchitectures(request)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("num_architectures", {"num_architectures": 0}),
        ("num_architectures", {"num_architectures": 1_000_000}),
        ("seed", {"seed": -3}),
        ("design", {"design": 9}),
        ("exclude[0]", {"exclude": [common_pb2.Architecture(choices=[1])]}),
        ("candidates[0]", {"candidates": [common_pb2.Architecture(choices=[1])]}),
        (
            "candidates",
            {
                "candidates": [common_pb2.Architecture(choices=CHOICES[0].tolist())],
                "design": pb.SAMPLING_DESIGN_UNIFORM,
            },
        ),
    ],
)
def test_wrong_sampling_requests_are_refused(
    service: Service, artifact: common_pb2.Artifact, field: str, changed: dict
) -> None:
    request = pb.SampleArchitecturesRequest(**{"library": artifact, "num_architectures": 3} | changed)
    with pytest.raises(InvalidArgument) as refused:
        service.stub.SampleArchitectures(request)
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize(
    "matrix",
    [
        common_pb2.ArchitectureMatrix(
            num_architectures=1, num_blocks=4, choices=b"\0" * 3, bytes_per_choice=1
        ),
        common_pb2.ArchitectureMatrix(
            num_architectures=1, num_blocks=4, choices=b"\0" * 12, bytes_per_choice=3
        ),
        common_pb2.ArchitectureMatrix(
            num_architectures=1, num_blocks=3, choices=b"\0" * 3, bytes_per_choice=1
        ),
        common_pb2.ArchitectureMatrix(
            num_architectures=1, num_blocks=4, choices=b"\0\0\0\xff", bytes_per_choice=1
        ),
        common_pb2.ArchitectureMatrix(num_architectures=4_000_000_000, num_blocks=0, bytes_per_choice=1),
        common_pb2.ArchitectureMatrix(num_architectures=5, num_blocks=0, bytes_per_choice=1),
    ],
)
def test_wrong_matrices_are_refused(
    service: Service, predictor: pb.Predictor, matrix: common_pb2.ArchitectureMatrix
) -> None:
    with pytest.raises(InvalidArgument):
        service.stub.Predict(pb.PredictRequest(predictor=predictor.name, architectures=matrix))


def test_an_artifact_that_is_no_library_is_refused(service: Service) -> None:
    for data in (b"{}", b"\x80\x04K\x01.", b"[]", b'{"format":"donna.library/1"}'):
        artifact = artifact_message(service.artifacts.put_bytes(data))
        request = pb.SampleArchitecturesRequest(library=artifact, num_architectures=3)
        with pytest.raises(InvalidArgument, match="library"):
            service.stub.SampleArchitectures(request)


def test_predictors_survive_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        spec = pb.PredictorSpec(library=service.put(LIBRARY), samples=samples(slice(8)))
        name = service.fit(spec).name
    request = pb.PredictRequest(predictor=name, architectures=pack_architectures(CHOICES))
    with served(tmp_path) as service:
        assert len(service.stub.Predict(request).accuracies) == 4 * len(CHOICES)
        again = service.fit(spec)
        assert again.job.state == common_pb2.JOB_STATE_SUCCEEDED
        assert again.name != name
        assert again.job.cost.bytes_written == 0  # the same content was fitted before
