"""The contract of the finetuner, over real gRPC on loopback."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

import donna
from donna.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from donna.rpc.messages import dict_to_struct
from donna.v1 import common_pb2
from donna.v1 import finetuner_pb2 as pb
from services.finetuner.probe import epoch_s

from .conftest import DATASET, REFERENCE, World
from .serving import Service, served

ARCHITECTURE = pb.Network(architecture=common_pb2.Architecture(choices=[0, 1, 2, 0]))
OTHER = pb.Network(architecture=common_pb2.Architecture(choices=[1, 1, 1, 0]))
REFERENCE_NETWORK = pb.Network(reference=True)
FAR = pb.Network(architecture=common_pb2.Architecture(choices=[0, 0, 0, 9]))
SHORT = pb.Network(architecture=common_pb2.Architecture(choices=[0, 0, 0]))


@pytest.fixture(scope="module")
def service(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(Path(tmp_path_factory.mktemp("finetuner")), world.store) as running:
        yield running


def artifact(sha256: str) -> common_pb2.Artifact:
    return common_pb2.Artifact(uri=f"artifact:sha256/{sha256}", sha256=sha256)


def spec(world: World, *networks: pb.Network, **changed: Any) -> pb.FinetuneSpec:
    recipe = pb.FinetuneRecipe(epochs=1, soft_weight=0.5, learning_rate=2e-3, batch_size=64, seed=1)
    fields = {"library": artifact(world.library_sha256), "networks": networks, "recipe": recipe, **changed}
    return pb.FinetuneSpec(**fields)


def reference_spec(**changed: Any) -> pb.FinetuneSpec:
    split = common_pb2.DatasetSplit(**DATASET["split"])
    fields = {
        "reference": common_pb2.Reference(
            provider="small_cnn",
            arguments=dict_to_struct(REFERENCE["arguments"]),
            provenance={"licence": "MIT"},
        ),
        "dataset": common_pb2.Dataset(provider="digits", split=split),
        "networks": [REFERENCE_NETWORK],
        "recipe": pb.FinetuneRecipe(epochs=2, learning_rate=5e-3, seed=1),
        **changed,
    }
    return pb.FinetuneSpec(**fields)


def test_networks_are_trained_once_and_their_results_kept(service: Service, world: World) -> None:
    first = service.run(spec(world, ARCHITECTURE, OTHER))
    assert first.job.state == common_pb2.JOB_STATE_SUCCEEDED
    assert first.job.cost.networks_trained == 2
    assert [list(n.network.architecture.choices) for n in first.networks] == [[0, 1, 2, 0], [1, 1, 1, 0]]
    for network in first.networks:
        assert 0 <= network.accuracy <= 1
        assert network.num_samples == 300
        assert network.parameters > 0
        assert network.macs > 0
        assert world.store.has(network.weights.sha256)
        assert not network.reused
    assert first.spec.dataset.provider == "digits"

    again = service.run(spec(world, OTHER, ARCHITECTURE))
    assert [n.reused for n in again.networks] == [True, True]
    assert again.job.cost.networks_trained == 0
    assert again.job.cost.networks_reused == 2
    assert again.networks[1].accuracy == first.networks[0].accuracy

    changed = pb.FinetuneRecipe(epochs=1, soft_weight=0.5, learning_rate=2e-3, batch_size=64, seed=2)
    seeded = service.run(spec(world, ARCHITECTURE, recipe=changed))
    assert seeded.job.cost.networks_trained == 1
    assert seeded.networks[0].weights.sha256 != first.networks[0].weights.sha256


def test_export_and_the_test_part_come_from_weights_that_are_known(service: Service, world: World) -> None:
    trained = service.run(spec(world, ARCHITECTURE))
    exported = service.run(
        spec(
            world,
            ARCHITECTURE,
            evaluate_on=pb.EVALUATION_PART_TEST,
            export=pb.ExportSpec(opset=19, int8=True),
        )
    )
    network = exported.networks[0]
    assert exported.job.cost.networks_trained == 0
    assert network.weights == trained.networks[0].weights
    assert network.model.top1_agreement == 1.0
    assert network.model.accuracy == pytest.approx(network.accuracy)
    for model in (network.model, network.int8_model):
        assert model.num_samples == 256 + 300
        proto = onnx.load_model_from_string(world.store.get_bytes(model.onnx.sha256))
        said = {p.key: p.value for p in proto.metadata_props}
        assert said["donna.architecture"] == "0-1-2-0"
        assert (said["donna.accuracy"], said["donna.accuracy_on"]) == (f"{model.accuracy:.6f}", "test")
        assert said["donna.provenance.licence"] == "Apache-2.0"
        assert said["donna.library"] == world.library.digest
        assert json.loads(said["donna.versions"])["donna"] == donna.__version__
        assert ("donna.quantisation" in said) == (model is not network.model)


def test_the_reference_is_trained_with_labels_only_and_then_evaluated(service: Service) -> None:
    job = service.run(reference_spec())
    assert job.job.state == common_pb2.JOB_STATE_SUCCEEDED
    trained = job.networks[0]
    assert trained.accuracy > 0.5
    reference = reference_spec().reference
    reference.weights.CopyFrom(trained.weights)
    evaluated = service.run(reference_spec(reference=reference, recipe=pb.FinetuneRecipe(epochs=0)))
    assert evaluated.networks[0].accuracy == trained.accuracy
    assert evaluated.job.cost.networks_trained == 0


def test_results_whose_files_are_gone_are_made_again(service: Service, world: World) -> None:
    """A model that is gone is exported again, weights that are gone are trained again."""
    recipe = pb.FinetuneRecipe(epochs=1, soft_weight=0.5, learning_rate=2e-3, batch_size=64, seed=31)
    asked = spec(world, OTHER, recipe=recipe, export=pb.ExportSpec())
    first = service.run(asked).networks[0]
    for gone, trained in ((first.model.onnx, 0), (first.weights, 1)):
        world.store.remove(gone.sha256)
        job = service.run(asked)
        (again,) = job.networks
        assert (job.job.cost.networks_trained, again.reused) == (trained, False)
        assert again.weights == first.weights
        assert world.store.has(gone.sha256)
    assert service.run(asked).networks[0].reused


def test_random_initialisation_is_another_network_than_the_librarys(service: Service, world: World) -> None:
    recipe = pb.FinetuneRecipe(epochs=0, initialization=pb.INITIALIZATION_RANDOM)
    job = service.run(spec(world, ARCHITECTURE, recipe=recipe))
    pretrained = service.run(spec(world, ARCHITECTURE, recipe=pb.FinetuneRecipe(epochs=0)))
    assert job.networks[0].weights.sha256 != pretrained.networks[0].weights.sha256
    assert job.networks[0].accuracy < 0.4


def test_a_network_that_diverges_has_a_reason_and_others_go_on(service: Service, world: World) -> None:
    recipe = pb.FinetuneRecipe(epochs=3, learning_rate=100, optimizer="sgd")
    job = service.run(spec(world, ARCHITECTURE, OTHER, recipe=recipe))
    assert job.job.state == common_pb2.JOB_STATE_SUCCEEDED
    assert {n.error.reason for n in job.networks} == {"DIVERGED"}
    assert "lower the learning rate" in job.networks[0].error.message
    again = service.run(spec(world, ARCHITECTURE, recipe=recipe))
    assert not again.networks[0].reused, "it is tried again, however small the hope"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipe": None}, "recipe"),
        ({"recipe": pb.FinetuneRecipe(epochs=-1)}, "recipe.epochs"),
        ({"recipe": pb.FinetuneRecipe(epochs=1, soft_weight=1.5)}, "recipe.soft_weight"),
        ({"recipe": pb.FinetuneRecipe(epochs=1, optimizer="adagrad")}, "recipe.optimizer"),
        ({"recipe": pb.FinetuneRecipe(epochs=1, warmup_fraction=1)}, "recipe.warmup_fraction"),
        ({"networks": []}, "networks"),
        ({"networks": [pb.Network()]}, "networks[0]"),
        ({"networks": [ARCHITECTURE, FAR]}, "networks[1].architecture"),
        ({"networks": [SHORT]}, "networks[0].architecture"),
        ({"networks": [REFERENCE_NETWORK]}, "recipe.soft_weight"),
        ({"export": pb.ExportSpec(opset=17)}, "export.opset"),
        ({"library": artifact("zz")}, "library.sha256"),
        ({"library": artifact("0" * 64)}, "library"),
        ({"reference": common_pb2.Reference(provider="no_such")}, "reference.provider"),
        ({"dataset": common_pb2.Dataset(provider="no_such")}, "dataset.provider"),
        ({"evaluate_on": 7}, "evaluate_on"),
    ],
)
def test_a_wrong_field_is_named_before_any_job(
    service: Service, world: World, change: dict[str, Any], field: str
) -> None:
    before = service.store.list("finetuneJobs")[0][:1]
    fields = {"networks": [ARCHITECTURE], **change}
    networks = fields.pop("networks")
    request = pb.CreateFinetuneJobRequest(spec=spec(world, *networks, **fields))
    with pytest.raises((InvalidArgument, FailedPrecondition)) as caught:
        service.stub.CreateFinetuneJob(request)
    assert [v.field for v in caught.value.violations] == [field]
    assert service.store.list("finetuneJobs")[0][:1] == before


def test_an_architecture_without_a_library_is_refused(service: Service) -> None:
    request = pb.CreateFinetuneJobRequest(spec=reference_spec(networks=[ARCHITECTURE]))
    with pytest.raises(InvalidArgument, match="0-1-2-0 needs a library"):
        service.stub.CreateFinetuneJob(request)


def test_validate_only_makes_nothing(service: Service, world: World) -> None:
    before = len(service.store.list("finetuneJobs")[0])
    request = pb.CreateFinetuneJobRequest(spec=spec(world, ARCHITECTURE), validate_only=True)
    job = service.stub.CreateFinetuneJob(request).finetune_job
    assert not job.name
    assert job.spec.reference.weights.sha256 == world.reference["weights"]
    assert len(service.store.list("finetuneJobs")[0]) == before


def test_a_plan_says_what_is_known_and_how_long_the_rest_takes(service: Service, world: World) -> None:
    def validated(batch_size: int, *architectures: pb.Network) -> pb.FinetuneJob:
        recipe = pb.FinetuneRecipe(epochs=2, learning_rate=1e-3, seed=11, batch_size=batch_size)
        asked = spec(world, *architectures, recipe=recipe)
        request = pb.CreateFinetuneJobRequest(spec=asked, validate_only=True)
        return service.stub.CreateFinetuneJob(request).finetune_job

    def planned(batch_size: int, *architectures: pb.Network) -> pb.FinetunePlan:
        return validated(batch_size, *architectures).plan

    first = planned(48, ARCHITECTURE, OTHER)
    assert (first.networks_to_train, first.networks_to_reuse, first.network_epochs) == (2, 0, 4)
    assert (first.estimated_s, first.estimated_from[:14]) == (0, "not estimated:")
    recipe = pb.FinetuneRecipe(epochs=2, learning_rate=1e-3, seed=11, batch_size=48)
    (done,) = service.run(spec(world, ARCHITECTURE, recipe=recipe)).networks
    second = planned(48, ARCHITECTURE, OTHER)
    assert (second.networks_to_train, second.networks_to_reuse, second.network_epochs) == (1, 1, 2)
    assert second.estimated_s == pytest.approx(done.train_s)
    assert "trained like this took" in second.estimated_from
    assert second.workers == 3
    (known,) = validated(48, ARCHITECTURE, OTHER).networks
    assert known.reused and known.network == ARCHITECTURE and known.weights.sha256 == done.weights.sha256
    assert planned(32, OTHER).estimated_s == 0  # other batches, another pace


def test_a_few_steps_tell_the_pace_of_what_was_never_trained(
    service: Service, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DONNA_FINETUNER_ARTIFACTS", str(world.store._path("0" * 64).parent.parent))
    monkeypatch.setenv("DONNA_FINETUNER_STATE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.setattr(service.work.admission, "_probe", epoch_s)
    recipe = pb.FinetuneRecipe(epochs=10, learning_rate=1e-3, soft_weight=0.5, seed=11, batch_size=40)
    request = pb.CreateFinetuneJobRequest(spec=spec(world, OTHER, recipe=recipe), validate_only=True)
    plan = service.stub.CreateFinetuneJob(request).finetune_job.plan
    assert plan.estimated_from.startswith("measured: a few steps of 1-1-1-0")
    assert plan.estimated_s > 0


def test_create_is_idempotent_by_request_id(service: Service, world: World) -> None:
    asked = {"spec": spec(world, ARCHITECTURE), "request_id": "once"}
    first = service.run(**asked)
    assert service.run(**asked).name == first.name
    with pytest.raises(AlreadyExists, match="once"):
        service.run(spec(world, OTHER), request_id="once")


def test_jobs_are_listed_in_pages_deleted_and_gone(service: Service, world: World) -> None:
    names = [service.run(spec(world, ARCHITECTURE)).name for _ in range(3)]
    page = service.stub.ListFinetuneJobs(pb.ListFinetuneJobsRequest(page_size=2))
    assert [job.name for job in page.finetune_jobs] == names[:0:-1]
    rest = service.stub.ListFinetuneJobs(
        pb.ListFinetuneJobsRequest(page_size=2, page_token=page.next_page_token)
    )
    assert rest.finetune_jobs[0].name == names[0]
    service.stub.DeleteFinetuneJob(pb.DeleteFinetuneJobRequest(name=names[0]))
    with pytest.raises(NotFound):
        service.stub.GetFinetuneJob(pb.GetFinetuneJobRequest(name=names[0]))
    with pytest.raises(InvalidArgument):
        service.stub.GetFinetuneJob(pb.GetFinetuneJobRequest(name="finetuneJobs/../x"))


def test_a_cancelled_job_stops(service: Service, world: World) -> None:
    recipe = pb.FinetuneRecipe(epochs=10_000, learning_rate=1e-3, seed=9)
    request = pb.CreateFinetuneJobRequest(spec=spec(world, ARCHITECTURE, recipe=recipe))
    created = service.stub.CreateFinetuneJob(request).finetune_job
    service.stub.CancelFinetuneJob(pb.CancelFinetuneJobRequest(name=created.name))
    after = service.run(spec(world, ARCHITECTURE))  # the only worker is free again
    assert after.job.state == common_pb2.JOB_STATE_SUCCEEDED
    job = service.stub.GetFinetuneJob(pb.GetFinetuneJobRequest(name=created.name)).finetune_job
    assert job.job.state == common_pb2.JOB_STATE_CANCELLED
